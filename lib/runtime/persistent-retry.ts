import { Logger } from '@nestjs/common';
import {
  CloacinaError,
  DatabaseUnavailableError,
  TenantMovingError,
  toStoredError,
  withoutDriver,
} from '../errors/index.js';
import type { Clock } from './clock.js';
import type { FailureClassifier } from './failure.js';
import { LastingFailure } from './lasting-failure.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { conflictDelay } from './retry-on-conflict.js';

/**
 * Repeats statements of the library for as long as the database is unavailable. A claim waits for them: if one gave up, the
 * outcome of a task would be dropped, or its attempt would pay for the failure.
 */
export class PersistentRetry {
  private readonly logger = new Logger('Cloacina');
  private readonly closing = new AbortController();

  constructor(
    private readonly tenant: string,
    private readonly store: FailureClassifier,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs `work` until it succeeds, or fails for another reason, or the tenant is closed. The work must be safe to repeat:
   * `resent` tells it that an earlier run may have been written.
   */
  async run<T>(work: (resent: boolean) => Promise<T>): Promise<T> {
    const failure = new LastingFailure(this.clock);
    let resent = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(resent);
      } catch (error) {
        if (this.closing.signal.aborted || !mayPass(error, this.store))
          throw withoutDriver(error, this.tenant);
        const { kind, mayBeWritten } = this.store.classifyFailure(error);
        resent ||= mayBeWritten;
        this.report(failure, error);
        if (kind !== 'connection') await conflictDelay(attempt, this.clock);
        else await this.clock.sleep(reconnectDelayMs(attempt, this.clock), this.closing.signal);
      }
    }
  }

  /** Ends the repetition. */
  close(): void {
    this.closing.abort();
  }

  private report(failure: LastingFailure, error: unknown): void {
    const seconds = failure.failed();
    if (seconds === undefined) return;
    this.logger.warn(
      `Tenant "${this.tenant}": a statement that a running task waits for has failed for ${seconds} s and will be retried: ` +
        toStoredError(error).message,
    );
  }
}

/** Whether a statement of the library that failed may succeed later, as it is. */
export function mayPass(error: unknown, store: FailureClassifier): boolean {
  if (error instanceof CloacinaError)
    return error instanceof DatabaseUnavailableError || error instanceof TenantMovingError;
  return store.classifyFailure(error).retryable;
}
