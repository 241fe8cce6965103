import {
  ContextTooLargeError,
  DeferralTimeoutError,
  InvalidArgumentError,
  InvalidContextError,
  NotAllowedError,
  NonRetryableError,
  readProperty,
  RetryAfterError,
} from '../../errors/index.js';
import { parseDuration, retryDelayMs, type CompiledTask } from '../../workflow/index.js';

/** What another attempt of the same code with the same input can't change, so that it costs effects and time only. */
const FINAL = [
  NonRetryableError,
  ContextTooLargeError,
  InvalidContextError,
  InvalidArgumentError,
  NotAllowedError,
];

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
  if (FINAL.some((type) => isInstance(thrown, type))) return 'fail';
  // It has waited as long as the task allows: another attempt would wait as long again, unless the task asks for it.
  if (retryIf === undefined && isInstance(thrown, DeferralTimeoutError)) return 'fail';
  if (attempt >= task.retry.maxAttempts) return 'fail';
  if (retryIf !== undefined && !asks(retryIf, thrown)) return 'fail';
  const retryInMs = isInstance(thrown, RetryAfterError) ? delayOf(thrown) : undefined;
  return { retryInMs: retryInMs ?? retryDelayMs(task.retry, attempt, random) };
}

/** A subclass may have made anything of it: undefined unless it is a duration. */
function delayOf(thrown: unknown): number | undefined {
  const delayMs = readProperty(thrown, 'delayMs');
  return typeof delayMs === 'number' ? parseDuration(delayMs) : undefined;
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
