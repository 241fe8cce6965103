import { setTimeout as delay } from 'node:timers/promises';
import { CloacinaError, DatabaseUnavailableError, withoutDriver } from '../errors/index.js';
import type { FailureKind, TenantStore } from '../store/store.js';
import { conflictPause } from './conflicts.js';
import { reconnectPauseMs } from './reconnect.js';

/** Waits for a database that is away, as long as a start does, and says what was waited for. */
export class Patience {
  constructor(
    private readonly tenant: string,
    private readonly store: Pick<TenantStore, 'classifyFailure'>,
    private readonly patienceMs: number,
  ) {}

  /** For what may be done twice. `resent`: an earlier send may have been written. */
  async repeat<T>(work: (resent: boolean) => Promise<T>): Promise<T> {
    const began = performance.now();
    let resent = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(resent);
      } catch (error) {
        const kind = this.kindOf(error);
        const waitedMs = performance.now() - began;
        const passes = kind === 'connection' || kind === 'conflict' || kind === 'passing';
        if (!passes || waitedMs >= this.patienceMs) throw this.explain(error, waitedMs);
        resent ||= kind === 'connection';
        if (kind !== 'connection') await conflictPause(attempt);
        else await delay(Math.min(reconnectPauseMs(attempt), this.patienceMs - waitedMs));
      }
    }
  }

  /** The error to throw for a failure after so long; undefined while it is worth waiting. */
  giveUp(error: unknown, since: number): Error | undefined {
    const waitedMs = performance.now() - since;
    return waitedMs < this.patienceMs ? undefined : (this.explain(error, waitedMs) as Error);
  }

  /** An error of the library has been judged already. */
  private kindOf(error: unknown): FailureKind | undefined {
    return error instanceof CloacinaError ? undefined : this.store.classifyFailure(error).kind;
  }

  private explain(error: unknown, waitedMs: number): unknown {
    const kind = this.kindOf(error);
    if (kind !== 'connection' && kind !== 'conflict' && kind !== 'passing') {
      return withoutDriver(error, this.tenant);
    }
    const reached = kind !== 'connection';
    const facts = { tenant: this.tenant, waitedMs: Math.round(waitedMs), reached };
    return new DatabaseUnavailableError(facts, { cause: error });
  }
}
