import { CloacinaError, DatabaseUnavailableError, withoutDriver } from '../errors/index.js';
import type { Failure, FailureClassifier } from './failure.js';
import { conflictDelay } from './retry-on-conflict.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import type { Clock } from './clock.js';

/** Waits for a database that is away, as long as a start does, and says what was waited for. */
export class AvailabilityRetry {
  constructor(
    private readonly tenant: string,
    private readonly store: FailureClassifier,
    private readonly timeoutMs: number,
    private readonly clock: Clock,
  ) {}

  /** For what may be done twice. `resent`: an earlier send may have been written. */
  async run<T>(work: (resent: boolean) => Promise<T>): Promise<T> {
    const began = this.clock.now();
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

  /** The error to throw once the time is over; undefined while it is worth waiting. */
  giveUp(error: unknown, since: number): Error | undefined {
    const waitedMs = this.clock.now() - since;
    return waitedMs < this.timeoutMs ? undefined : (this.explain(error, waitedMs) as Error);
  }

  /** An error of the library has been judged already. */
  private classify(error: unknown): Failure | undefined {
    return error instanceof CloacinaError ? undefined : this.store.classifyFailure(error);
  }

  private explain(error: unknown, waitedMs: number): unknown {
    const failure = this.classify(error);
    if (failure?.retryable !== true) return withoutDriver(error, this.tenant);
    const reached = failure.kind !== 'connection';
    const facts = { tenant: this.tenant, waitedMs: Math.round(waitedMs), reached };
    return new DatabaseUnavailableError(facts, { cause: error });
  }
}
