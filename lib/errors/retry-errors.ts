import { DURATION_FORM, parseDuration, type Duration } from '../workflow/duration.js';
import { brandOf, giveBrand, isOrdinaryInstance } from './brand.js';
import { InvalidArgumentError } from './configuration-errors.js';
import { formatValue } from './option-checks.js';

const NON_RETRYABLE = Symbol.for('nestjs-cloacina:NonRetryableError');
const RETRY_AFTER = Symbol.for('nestjs-cloacina:RetryAfterError');

/**
 * Throw it in a task if another attempt would not help. The task fails at once, even if its `retry` allows more
 * attempts. The error belongs to the application, so it is not a `CloacinaError`. You can subclass it.
 *
 * @example
 * ```ts
 * if (!order) throw new NonRetryableError(`Order ${id} does not exist`);
 * ```
 */
export class NonRetryableError extends Error {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'NonRetryableError',
      configurable: true,
      writable: true,
    });
    giveBrand(this.prototype, NON_RETRYABLE);
  }

  /** Also recognizes errors of this class and its subclasses from another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (
      isOrdinaryInstance(this, value) ||
      (this === NonRetryableError && brandOf(value, NON_RETRYABLE) === true)
    );
  }
}

/**
 * Throw it in a task to set the delay before the next attempt, for example from a `Retry-After` header. The delay
 * replaces that of the retry policy. It may be longer than `maxDelay`, up to ten years. The attempt counts as any
 * other. If a subclass sets a `delayMs` that is not a number from 0 to ten years, the delay of the retry policy
 * applies.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new RetryAfterError('90s', 'The carrier limits our rate');
 * ```
 */
export class RetryAfterError extends Error {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'RetryAfterError',
      configurable: true,
      writable: true,
    });
    giveBrand(this.prototype, RETRY_AFTER);
  }

  /** Also recognizes errors of this class and its subclasses from another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (
      isOrdinaryInstance(this, value) ||
      (this === RetryAfterError && brandOf(value, RETRY_AFTER) === true)
    );
  }

  /** The delay before the next attempt, in milliseconds. */
  readonly delayMs: number;

  /**
   * @param delay - milliseconds, or a string such as `'90s'`
   * @param message - default: a message that names the delay
   * @throws InvalidArgumentError for a delay that is not a duration from 0 to ten years
   */
  constructor(delay: Duration, message?: string, options?: ErrorOptions) {
    const delayMs = parseDuration(delay);
    if (delayMs === undefined) {
      throw new InvalidArgumentError(
        'delay',
        `must be ${DURATION_FORM}, not ${formatValue(delay)}`,
      );
    }
    super(message ?? `Try again in ${delayMs} ms`, options);
    this.delayMs = delayMs;
  }
}
