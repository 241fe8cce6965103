import { classifyFailure } from '../classify-failure.js';
import type { LoginPools } from '../connections/pools.js';
import { SessionStatements } from './session-statements.js';
import type { RawRow } from '../statements/columns.js';
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
    pools: LoginPools,
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

  protected override async run(
    text: string,
    values: readonly unknown[],
  ): Promise<readonly RawRow[]> {
    try {
      return await super.run(text, values);
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
