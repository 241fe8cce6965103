import type { LoginPools } from './pools.js';
import { SessionStatements } from './session-statements.js';

/**
 * Stands in for the control connection where there is none (behind a transaction pooler, or switched off): the same
 * statements on the pool. It holds no lock, so that leases alone tell who lives, and it hears no notifications.
 */
export class PoolSession extends SessionStatements {
  readonly epoch = null;
  readonly epochAgeMs = Infinity;
  private readonly openedAt = performance.now();

  constructor(pools: LoginPools) {
    super(pools.general);
  }

  get ageMs(): number {
    return performance.now() - this.openedAt;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
