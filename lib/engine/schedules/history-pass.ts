import type { HistoryPruner } from './history-pruner.js';

/** A tenant of the pass. */
export interface TenantWithHistory {
  readonly historyPruner: Pick<HistoryPruner, 'round'>;
}

/** A pass of the maintenance sweep: deletes old records of firings, and old polls. */
export class HistoryPass {
  readonly nextLookAt = undefined;

  constructor(
    private readonly tenants: (names: readonly string[]) => readonly TenantWithHistory[],
  ) {}

  async over(names: readonly string[]): Promise<void> {
    // One after the other: nothing waits for it.
    for (const { historyPruner } of this.tenants(names)) await historyPruner.round();
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
