import { DURATION_FORM, parseDuration, type Duration } from '../workflow/duration.js';
import { brandOf, giveBrand, isOrdinaryInstance } from './brand.js';
import { InvalidArgumentError } from './configuration-errors.js';
import { formatValue } from './option-checks.js';

const NON_RETRYABLE = Symbol.for('nestjs-cloacina:NonRetryableError');
const RETRY_AFTER = Symbol.for('nestjs-cloacina:RetryAfterError');

/**
 * Throw it in a task for a failure that another attempt cannot mend: the task is Failed at once, whatever its
 * `retry` says. It is the application's error, so it is no `CloacinaError`; subclass it freely.
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

  /** Also one of another copy of this package, and of its subclasses. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (
      isOrdinaryInstance(this, value) ||
      (this === NonRetryableError && brandOf(value, NON_RETRYABLE) === true)
    );
  }
}

/**
 * Throw it in a task to say when the next attempt makes sense, for instance from a `Retry-After` header. It takes the
 * place of the backoff's delay, and may be longer than `maxDelay`, up to ten years; it still costs an attempt. Where a
 * subclass sets a `delayMs` that is not a number from 0 to ten years, the retry policy's own delay holds.
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

  /** Also one of another copy of this package, and of its subclasses. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (
      isOrdinaryInstance(this, value) ||
      (this === RetryAfterError && brandOf(value, RETRY_AFTER) === true)
    );
  }

  /** Milliseconds until the next attempt. */
  readonly delayMs: number;

  /**
   * @param delay - milliseconds, or a string such as `'90s'`
   * @throws InvalidArgumentError for a delay that is negative or cannot be read
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
