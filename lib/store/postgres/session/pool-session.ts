import type pg from 'pg';
import { classifyFailure } from '../classify-failure.js';
import { inPoolTransaction } from '../connections/pool-transaction.js';
import type { LoginPools } from '../connections/pools.js';
import { LOCK_TIMEOUT_MS, SessionStatements } from './session-statements.js';
import type { RawRow } from '../statements/columns.js';
import { runUnprepared } from '../tenant-statements.js';
import type { Clock } from '../../../runtime/clock.js';

/**
 * Replaces the control connection if there is none (behind a transaction pooler, or disabled): it sends the same statements
 * on the pool. It holds no lock, so only leases show which processes live, and it receives no notifications.
 */
export class PoolSession extends SessionStatements {
  readonly epoch = null;
  readonly lockSession = null;
  /**
   * The database was unreachable for a while, so no process could renew its lease. Expired leases get time for renewal.
   */
  interrupted = false;
  private since: number;

  constructor(
    private readonly pools: LoginPools,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    super(pools.general);
    this.since = clock.now();
  }

  lifeAgeMs(): number {
    return Infinity;
  }

  get ageMs(): number {
    return this.clock.now() - this.since;
  }

  protected override run(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.noticing(() => super.run(text, values));
  }

  /**
   * In a transaction with a lock timeout, because a pooler drops settings of connections. Without one, a locked schema delays all
   * tenants, and each statement that is given up leaves a backend behind that waits for the lock.
   */
  protected override runOnTables(
    text: string,
    values: readonly unknown[],
  ): Promise<readonly RawRow[]> {
    const send = (client: pg.PoolClient): Promise<readonly RawRow[]> =>
      runUnprepared(client, text, values);
    return this.noticing(() =>
      inPoolTransaction(this.pools.general, send, undefined, LOCK_TIMEOUT_MS),
    );
  }

  /** Notices when the database can't be reached. */
  private async noticing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { kind, move } = classifyFailure(error);
      if (kind === 'connection' && move === undefined) {
        this.interrupted = true;
        this.since = this.clock.now();
      }
      throw error;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
