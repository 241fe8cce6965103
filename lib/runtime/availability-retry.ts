import {
  CloacinaError,
  DatabaseUnavailableError,
  TenantMovingError,
  withoutDriver,
} from '../errors/index.js';
import type { Failure, FailureClassifier } from './failure.js';
import { conflictDelay } from './retry-on-conflict.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import type { Clock } from './clock.js';

/**
 * Retries work while the database is unavailable, for at most the tenant's `startTimeout`. After that it throws an
 * error that says why the work could not be done.
 */
export class AvailabilityRetry {
  constructor(
    private readonly tenant: string,
    private readonly store: FailureClassifier,
    private readonly timeoutMs: number,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs `work` until it succeeds, fails for good, or the time is over. The work must be safe to repeat: `resent` tells
   * it that an earlier run may have been written.
   *
   * @param began - when the time began, by the clock; default: now
   */
  async run<T>(work: (resent: boolean) => Promise<T>, began = this.clock.now()): Promise<T> {
    let resent = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(resent);
      } catch (error) {
        const failure = this.classify(error);
        const waitedMs = this.clock.now() - began;
        if (failure?.retryable !== true || waitedMs >= this.timeoutMs)
          throw this.explain(error, waitedMs);
        const { kind } = failure;
        resent ||= kind === 'connection';
        if (kind !== 'connection') await conflictDelay(attempt, this.clock);
        else
          await this.clock.sleep(
            Math.min(reconnectDelayMs(attempt, this.clock), this.timeoutMs - waitedMs),
          );
      }
    }
  }

  /**
   * Repeats `write` until it returns true. It returns false if it wrote nothing, because another writer has changed or locked
   * the row.
   *
   * @param subject - the written thing; begins the sentence of the error
   * @throws DatabaseUnavailableError with `reached` when the time is over
   */
  async untilWritten(subject: string, write: (began: number) => Promise<boolean>): Promise<void> {
    const began = this.clock.now();
    for (let attempt = 0; !(await write(began)); attempt++) {
      const waitedMs = Math.round(this.clock.now() - began);
      if (waitedMs >= this.timeoutMs) {
        const explanation =
          `${subject} of tenant ${JSON.stringify(this.tenant)} was not written: for ${waitedMs} ms other sessions have ` +
          'changed or locked its row again and again. Find open transactions that hold it in pg_locks, and code that ' +
          'changes it in a loop; startTimeout sets the limit of the wait.';
        throw new DatabaseUnavailableError({
          tenant: this.tenant,
          waitedMs,
          reached: true,
          explanation,
        });
      }
      await conflictDelay(attempt, this.clock);
    }
  }

  /** The error to throw if the time that began at `since` is over; undefined while the caller should keep trying. */
  giveUp(error: unknown, since: number): Error | undefined {
    const waitedMs = this.clock.now() - since;
    return waitedMs < this.timeoutMs ? undefined : (this.explain(error, waitedMs) as Error);
  }

  /** Undefined for the library's own errors, which already name the problem. */
  private classify(error: unknown): Failure | undefined {
    return error instanceof CloacinaError ? undefined : this.store.classifyFailure(error);
  }

  private explain(error: unknown, waitedMs: number): unknown {
    const failure = this.classify(error);
    if (failure?.retryable !== true) return withoutDriver(error, this.tenant);
    const { tenant } = this;
    if (failure.move !== undefined)
      return new TenantMovingError({ ...failure.move, tenant, waitedMs }, { cause: error });
    const reached = failure.kind !== 'connection';
    const facts = { tenant, waitedMs: Math.round(waitedMs), reached };
    return new DatabaseUnavailableError(facts, { cause: error });
  }
}
