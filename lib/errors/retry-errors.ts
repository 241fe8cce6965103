import ms, { type StringValue } from 'ms';
import { InvalidArgumentError } from './configuration-errors.js';

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
  }
}

/**
 * Throw it in a task to say when the next attempt makes sense, for instance from a `Retry-After` header. It takes the
 * place of the backoff's delay, and may be longer than `maxDelay`; it still costs an attempt.
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
  }

  /** Milliseconds until the next attempt. */
  readonly delayMs: number;

  /**
   * @param delay - milliseconds, or a string such as `'90s'`
   * @throws InvalidArgumentError for a delay that is negative or cannot be read
   */
  constructor(delay: number | string, message?: string, options?: ErrorOptions) {
    const delayMs = typeof delay === 'number' ? delay : ms(delay as StringValue);
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new InvalidArgumentError(
        'delay',
        `must be milliseconds or a string such as '90s', not ${JSON.stringify(delay)}`,
      );
    }
    super(message ?? `Try again in ${delayMs} ms`, options);
    this.delayMs = delayMs;
  }
}
