import type { Readable, Writable } from 'node:stream';

/** The surroundings of a command. Tests give their own. */
export interface Terminal {
  /** The result: tables for people, or one JSON document. */
  readonly stdout: Writable;
  /** All else: prompts, progress, the log, errors. */
  readonly stderr: Writable;
  readonly stdin: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person can answer a question: standard input and standard error are a terminal. */
  readonly isInteractive: boolean;
  /** Whether standard output is a terminal, and may have colors. */
  readonly isColored: boolean;
}

/** The terminal of this process. */
export function terminalOf(process: NodeJS.Process): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const mayHaveColors = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return {
    stdin,
    stdout,
    stderr,
    env,
    isInteractive: isTerminal(stdin) && isTerminal(stderr),
    isColored: isTerminal(stdout) && mayHaveColors,
  };
}

/** Of a pipe or a file, `isTTY` is undefined, whatever its type says. Undefined would let the library of colors decide. */
function isTerminal({ isTTY }: { readonly isTTY?: boolean }): boolean {
  return isTTY === true;
}
