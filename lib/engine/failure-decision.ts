import { ContextTooLargeError, NonRetryableError, RetryAfterError } from '../errors/index.js';
import { retryDelayMs, type CompiledTask } from '../workflow/index.js';

export type FailureDecision = { readonly retryInMs: number } | 'fail';

/** What follows from a failed attempt: another one after a while, or the end of the task. */
export function decideFailure(
  thrown: unknown,
  task: CompiledTask,
  /** The number of the attempt that failed; 1 for the first. */
  attempt: number,
  retryIf: ((error: unknown) => boolean) | undefined,
  random: number,
): FailureDecision {
  if (isInstance(thrown, NonRetryableError) || isInstance(thrown, ContextTooLargeError)) {
    return 'fail';
  }
  if (attempt >= task.retry.maxAttempts) return 'fail';
  if (retryIf !== undefined && !asks(retryIf, thrown)) return 'fail';
  if (isInstance(thrown, RetryAfterError) && Number.isFinite(thrown.delayMs)) {
    return { retryInMs: Math.max(0, thrown.delayMs) };
  }
  return { retryInMs: retryDelayMs(task.retry, attempt, random) };
}

/** A proxy may throw when it is asked what it is. */
function isInstance<T>(thrown: unknown, type: abstract new (...args: never[]) => T): thrown is T {
  try {
    return thrown instanceof type;
  } catch {
    return false;
  }
}

/** A `retryIf` that throws has not said yes. */
function asks(retryIf: (error: unknown) => boolean, thrown: unknown): boolean {
  try {
    return retryIf(thrown);
  } catch {
    return false;
  }
}
