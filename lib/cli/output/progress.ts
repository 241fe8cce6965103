import type { CommandContext } from '../command-context.js';

/** Reports how far long work is. */
export interface Progress {
  /** @param text - in place of the numbers */
  update(done: number, total: number, text?: string): void;
  stop(): void;
}

const SILENT: Progress = { update: () => undefined, stop: () => undefined };

/** A bar on standard error. Without a terminal there is none: it would fill a log. */
export async function progressBar(
  { terminal }: Pick<CommandContext, 'terminal'>,
  message: string,
  max: number,
): Promise<Progress> {
  if (!terminal.isInteractive || max < 2) return SILENT;
  const { progress } = await import('@clack/prompts');
  const bar = progress({ max, output: terminal.stderr });
  bar.start(message);
  let shown = 0;
  let last = `${message} (0 of ${max})`;
  return {
    update: (done, total, text = `${message} (${done} of ${total})`) => {
      bar.advance(done - shown, text);
      shown = done;
      last = text;
    },
    stop: () => bar.stop(last),
  };
}
