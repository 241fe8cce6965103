import type { TenantRetention } from './tenant-retention.js';

/** A tenant of the pass. */
export interface RetainedTenant {
  readonly retention: Pick<TenantRetention, 'round'>;
}

/** A pass of the maintenance sweep: begins the deletion of ended executions in the tenants in which some are due. */
export class RetentionPass {
  readonly nextLookAt = undefined;

  constructor(private readonly tenants: (names: readonly string[]) => readonly RetainedTenant[]) {}

  over(names: readonly string[]): Promise<void> {
    // It is not waited for: a lap may take hours, and the pass must not keep the sweep from its other passes.
    for (const { retention } of this.tenants(names)) retention.round();
    return Promise.resolve();
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
