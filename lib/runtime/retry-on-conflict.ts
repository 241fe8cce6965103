import type { Failure, FailureClassifier } from './failure.js';
import type { Clock } from './clock.js';

/** Pauses before what lost a race is sent again, in milliseconds; each somewhere between half of it and all. */
const PAUSES_MS = [5, 10, 20, 50, 100] as const;
/** Maximum total retry time, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** A pause of random length, so that those who met each other don't meet again. */
export function conflictDelay(attempt: number, clock: Clock): Promise<void> {
  const longest = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 100;
  return clock.sleep(longest * (0.5 + clock.random() / 2));
}

/** Whether what failed so was not written, and may be when it is sent again. */
function mayPass({ retryable, kind }: Failure): boolean {
  return retryable && kind !== 'connection';
}

/**
 * Runs `work` again when the server chose it as the one to fail (a deadlock, a serialization failure, a row that was
 * locked for too long): then nothing was written. For statements outside of a batch; batches do it by themselves.
 */
export async function retryOnConflict<T>(
  store: FailureClassifier,
  clock: Clock,
  work: () => Promise<T>,
): Promise<T> {
  const end = clock.now() + TIMEOUT_MS;
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(store.classifyFailure(error)) || clock.now() > end) throw error;
    }
    await conflictDelay(attempt, clock);
  }
}
