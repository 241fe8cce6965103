import { setTimeout as delay } from 'node:timers/promises';
import { CloacinaError, DatabaseUnavailableError } from '../errors/index.js';
import type { TenantStore } from '../store/store.js';

const PAUSE_MS = 100;

/** Waits for a database that is away, as long as a start does, and says what was waited for. */
export class Patience {
  constructor(
    private readonly tenant: string,
    private readonly store: Pick<TenantStore, 'failureKind'>,
    private readonly patienceMs: number,
  ) {}

  /** For what may be done twice. */
  async repeat<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const waitedMs = performance.now() - began;
        if (!this.isAway(error)) throw error;
        if (waitedMs >= this.patienceMs) throw this.explain(error, waitedMs);
        await delay(Math.min(PAUSE_MS, this.patienceMs - waitedMs));
      }
    }
  }

  /** For what is done once: whether it was is not known then. */
  async once<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } catch (error) {
      throw this.explain(error, performance.now() - began);
    }
  }

  /** The error to throw for a failure after so long; undefined while it is worth waiting. */
  giveUp(error: unknown, since: number): Error | undefined {
    const waitedMs = performance.now() - since;
    return waitedMs < this.patienceMs ? undefined : (this.explain(error, waitedMs) as Error);
  }

  /** An error of the library has been judged already. */
  private isAway(error: unknown): boolean {
    return !(error instanceof CloacinaError) && this.store.failureKind(error) === 'connection';
  }

  private explain(error: unknown, waitedMs: number): unknown {
    if (!this.isAway(error)) return error;
    const facts = { tenant: this.tenant, waitedMs: Math.round(waitedMs) };
    return new DatabaseUnavailableError(facts, { cause: error });
  }
}
