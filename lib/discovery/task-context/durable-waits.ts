import type { Duration } from '../../workflow/duration.js';

/** Waits for a condition or a time, without occupying a slot. */
export interface DurableWaits {
  /**
   * Waits for a condition without occupying a slot. If the condition is true, the handler continues. If it gives
   * another truthy value, `deferUntil` returns that value. Otherwise the task gives its slot back, and runs again from
   * the beginning of its handler after `every`.
   *
   * Always await the call. It throws a control signal to stop the handler; do not catch it. A caught signal changes
   * nothing: the task is deferred nevertheless.
   *
   * @param options.every - the time until the condition is checked again, default 5 s
   * @param options.timeout - the longest wait, from the first deferral. Then the task fails with a
   *   DeferralTimeoutError, unless its `retryIf` allows another attempt. Default: no limit
   * @example
   * ```ts
   * await context.deferUntil(() => this.payments.isSettled(id), { every: '1m', timeout: '2d' });
   * const parcel = await context.deferUntil(() => this.carrier.find(id)); // Parcel, where find() gives Parcel | undefined
   * ```
   */
  deferUntil(condition: () => boolean | Promise<boolean>, options?: DeferOptions): Promise<void>;
  /** Waits for a condition that returns a value, such as a row, and returns the value. */
  deferUntil<T>(condition: () => T | Promise<T>, options?: DeferOptions): Promise<Found<T>>;
  /**
   * Waits for a time without occupying a slot, a connection or a process. The time is recorded, and the task runs again
   * from the beginning of its handler when it is over; recorded steps are not repeated. The wait is not limited by the
   * task's `timeout`, which bounds each run, but by that of the workflow.
   *
   * Always await the call. It throws a control signal to stop the handler, so `finally` blocks run; see
   * {@link TaskContext.suspending}. Do not catch it. A caught signal changes nothing: the task sleeps nevertheless. In a
   * transactional task the transaction is rolled back first.
   *
   * @param name - as in {@link TaskContext.step}; both share their names
   * @param duration - the time from the first call, or the instant of its end
   * @throws InvalidArgumentError for an invalid name or duration
   * @example
   * ```ts
   * await context.step('remind', () => this.mail.remind(customer));
   * await context.sleep('wait for payment', '3d');
   * await context.step('remind again', () => this.mail.remind(customer));
   * ```
   */
  sleep(name: string, duration: Duration | { readonly until: Date }): Promise<void>;
}

/**
 * The value that {@link TaskContext.deferUntil} returns: the condition's result without falsy values, and undefined for
 * `true`.
 */
export type Found<T> =
  Exclude<T, boolean | 0 | 0n | '' | null | undefined> | (true extends T ? undefined : never);

/** Options of {@link TaskContext.deferUntil}. */
export interface DeferOptions {
  /** The time until the condition is checked again. Default: 5 s. */
  every?: Duration;
  /** The longest wait, from the first deferral. Default: no limit. */
  timeout?: Duration;
}
