import type { WriteStream } from 'node:tty';

/** The end of a line, and the beginning of an empty one in its place. */
const CLEAR_LINE = '\r\u001b[K';

/** The last line of a terminal. It stays below the lines that are logged. */
class Footer {
  private text = '';

  constructor(private readonly terminal: WriteStream) {}

  /** An empty text removes the line. */
  show(text: string): void {
    // A line that wraps could not be cleared.
    this.text = text.slice(0, this.terminal.columns - 1);
    this.terminal.write(CLEAR_LINE + this.text);
  }

  /** Prints lines above the footer. */
  above(print: () => void): void {
    if (this.text === '') return print();
    this.terminal.write(CLEAR_LINE);
    print();
    this.terminal.write(this.text);
  }
}

/** Undefined if the output is a file or a pipe, which keeps every line. */
export const footer = process.stdout.isTTY ? new Footer(process.stdout) : undefined;
