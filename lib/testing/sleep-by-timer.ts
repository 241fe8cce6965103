import type { Clock } from '../runtime/clock.js';

/** The `sleep` of a clock that has timers. The signal's listener goes with the sleep: a long-lived signal serves many. */
export async function sleepByTimer(
  clock: Pick<Clock, 'timer'>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.timer(end, ms);
    signal?.addEventListener('abort', end);
  });
}
