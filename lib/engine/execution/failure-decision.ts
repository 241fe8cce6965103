import {
  ChildCancelledError,
  ChildFailedError,
  ChildMissingError,
  ContextTooLargeError,
  DeferralTimeoutError,
  DuplicateStepError,
  InvalidArgumentError,
  InvalidContextError,
  ItemsFailedError,
  NotAllowedError,
  NonRetryableError,
  readProperty,
  RetryAfterError,
  SignalTimeoutError,
  TooManyItemsError,
  StepsTooLargeError,
  TooManyStepsError,
} from '../../errors/index.js';
import { parseDuration, retryDelayMs, type CompiledTask } from '../../workflow/index.js';

/**
 * Errors that another attempt with the same input would meet again. A retry would only repeat effects and cost time.
 */
const FINAL = [
  NonRetryableError,
  ContextTooLargeError,
  InvalidContextError,
  InvalidArgumentError,
  NotAllowedError,
  DuplicateStepError,
  StepsTooLargeError,
  TooManyStepsError,
  ChildFailedError,
  ChildCancelledError,
  ChildMissingError,
  SignalTimeoutError,
  ItemsFailedError,
  TooManyItemsError,
];

export type FailureDecision = { readonly retryInMs: number } | 'fail';

/** Decides whether a failed attempt is retried, and after what delay, or whether the task fails. */
export function decideFailure(
  thrown: unknown,
  task: CompiledTask,
  /** The number of the attempt that failed; 1 for the first. */
  attempt: number,
  retryIf: ((error: unknown) => boolean) | undefined,
  random: number,
): FailureDecision {
  if (FINAL.some((type) => isInstance(thrown, type))) return 'fail';
  // The task has waited as long as it may. A retry would wait as long again, so only a `retryIf` can ask for it.
  if (retryIf === undefined && isInstance(thrown, DeferralTimeoutError)) return 'fail';
  if (attempt >= task.retry.maxAttempts) return 'fail';
  if (retryIf !== undefined && !asks(retryIf, thrown)) return 'fail';
  const retryInMs = isInstance(thrown, RetryAfterError) ? delayOf(thrown) : undefined;
  return { retryInMs: retryInMs ?? retryDelayMs(task.retry, attempt, random) };
}

/** The delay that the error asks for. Undefined if it is not a duration, because a subclass may set it to anything. */
function delayOf(thrown: unknown): number | undefined {
  const delayMs = readProperty(thrown, 'delayMs');
  return typeof delayMs === 'number' ? parseDuration(delayMs) : undefined;
}

/** `instanceof` for any thrown value. A proxy may throw when its prototype is read. */
function isInstance<T>(thrown: unknown, type: abstract new (...args: never[]) => T): thrown is T {
  try {
    return thrown instanceof type;
  } catch {
    return false;
  }
}

/** Whether `retryIf` asks for a retry. A `retryIf` that throws does not. */
function asks(retryIf: (error: unknown) => boolean, thrown: unknown): boolean {
  try {
    return retryIf(thrown);
  } catch {
    return false;
  }
}
