import type { CommandContext } from '../command-context.js';

/** Reports how far long work is. */
export interface Progress {
  update(done: number, total: number): void;
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
  return {
    update: (done, total) => {
      bar.advance(done - shown, `${message} (${done} of ${total})`);
      shown = done;
    },
    stop: () => bar.stop(`${message} (${shown} of ${max})`),
  };
}
