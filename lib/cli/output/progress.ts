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

/** Reports how far work is that has several phases, and may take hours. */
export interface PhaseProgress {
  update(percent: number, phase: string, detail?: string): void;
  stop(): void;
}

/** How much further work must be for another line of the same phase, in percent. */
const LINE_STEP = 10;

/** A bar as {@link progressBar}. Without a terminal, lines on standard error: one for each phase, and one for each tenth of all. */
export async function phaseProgress(
  { terminal }: Pick<CommandContext, 'terminal'>,
  message: string,
): Promise<PhaseProgress> {
  const inWords = (phase: string, detail?: string): string =>
    detail === undefined ? phase : `${phase}: ${detail}`;
  if (terminal.isInteractive) {
    const bar = await progressBar({ terminal }, message, 100);
    return {
      update: (percent, phase, detail) => bar.update(percent, 100, inWords(phase, detail)),
      stop: () => bar.stop(),
    };
  }
  let shown: { readonly percent: number; readonly phase: string } | undefined;
  return {
    update: (percent, phase, detail) => {
      if (shown?.phase === phase && percent < shown.percent + LINE_STEP) return;
      shown = { percent, phase };
      terminal.stderr.write(`${inWords(phase, detail)}\n`);
    },
    stop: () => undefined,
  };
}
