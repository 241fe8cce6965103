import type { Clock } from './clock.js';

/**
 * The pause after a piece of work, as a multiple of its duration: the work takes at most a fifth of the time, and at most half of it
 * while nothing else waits.
 */
const PAUSE_FACTOR = 4;
const CALM_PAUSE_FACTOR = 1;
/** Interval of the looks at a backlog that grows, in milliseconds. */
const LOOK_MS = 100;
/** A backlog up to this size is no reason to wait. */
const SMALL_BACKLOG = 50;
/** For how long a growing backlog stops the work before `onStopped` is called, in milliseconds. */
const STOPPED_MS = 60_000;

export interface PacerOptions {
  readonly clock: Clock;
  /** The amount of more important work that waits. */
  readonly backlog: () => number;
  /** Called when the backlog has grown for a minute without an end, once for each such time. */
  readonly onStopped?: (stoppedForMs: number) => void;
}

/**
 * Runs work in the background of more important work: one piece at a time, in the order of the calls, and none while the backlog
 * of the other work grows. After each piece it pauses for four times its duration, or for its duration if there was no backlog
 * before and after it. So work that the server does slowly, for example because other processes keep it busy, gets longer pauses.
 */
export class Pacer {
  private last: Promise<unknown> = Promise.resolve();
  private freeAt = -Infinity;
  private backlog = 0;

  constructor(private readonly options: PacerOptions) {}

  /**
   * Rejects with the signal's reason if it aborts before the work begins: at once, and not behind the work and the pauses of
   * others.
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', giveUp, { once: true });
      const result = this.last.then(() => {
        const begins = (): void => signal.removeEventListener('abort', giveUp);
        return this.inTurn(work, signal, begins);
      });
      this.last = result.catch(() => undefined);
      result.then(resolve, reject);
    });
  }

  private async inTurn<T>(
    work: () => Promise<T>,
    signal: AbortSignal,
    begins: () => void,
  ): Promise<T> {
    const { clock, backlog } = this.options;
    // What is over waits for nothing: others wait behind it.
    signal.throwIfAborted();
    const pauseMs = this.freeAt - clock.now();
    if (pauseMs > 0) await clock.sleep(pauseMs, signal);
    await this.whileBacklogGrows(signal);
    signal.throwIfAborted();
    begins();
    const began = clock.now();
    const wasCalm = backlog() === 0;
    try {
      return await work();
    } finally {
      const factor = wasCalm && backlog() === 0 ? CALM_PAUSE_FACTOR : PAUSE_FACTOR;
      this.freeAt = clock.now() + factor * (clock.now() - began);
    }
  }

  private async whileBacklogGrows(signal: AbortSignal): Promise<void> {
    const { clock, backlog, onStopped } = this.options;
    const began = clock.now();
    let isTold = false;
    for (let now = backlog(); ; now = backlog()) {
      const grows = now > SMALL_BACKLOG && now > this.backlog;
      this.backlog = now;
      if (!grows || signal.aborted) return;
      await clock.sleep(LOOK_MS, signal);
      const stoppedForMs = clock.now() - began;
      if (isTold || stoppedForMs < STOPPED_MS) continue;
      isTold = true;
      onStopped?.(stoppedForMs);
    }
  }
}
