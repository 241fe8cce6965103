import type { Failure, FailureClassifier } from './failure.js';
import type { Clock } from './clock.js';

/** Maximum pauses after the first conflicts, in milliseconds. The last one applies to all later conflicts. */
const PAUSES_MS = [5, 10, 20, 50, 100] as const;
/** Maximum total retry time, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Pauses for a random time, so that statements that conflicted with each other do not conflict again. */
export function conflictDelay(attempt: number, clock: Clock): Promise<void> {
  const longest = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 100;
  return clock.sleep(longest * (0.5 + clock.random() / 2));
}

/** Whether the statement was not written and may succeed when it is sent again. */
function mayPass({ retryable, kind }: Failure): boolean {
  return retryable && kind !== 'connection';
}

/**
 * Runs `work` again after a conflict (a deadlock, a serialization failure, a lock timeout), which wrote nothing. For
 * statements outside a batch: the `Batcher` retries by itself.
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
