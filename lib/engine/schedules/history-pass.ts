import { BackgroundTurns } from '../../runtime/background-turns.js';
import type { HistoryPruner } from './history-pruner.js';

type PrunerOfTenant = Pick<HistoryPruner, 'round'>;

/** A tenant of the pass. */
export interface TenantWithHistory {
  readonly historyPruner: PrunerOfTenant;
}

/**
 * A pass of the maintenance sweep: deletes old records of firings, and old polls, of one tenant after the other.
 *
 * The sweep does not wait for it: while the connections are busy, the statements of fifty tenants may take a minute, and the
 * sweep has to look for lost processes in that time.
 */
export class HistoryPass {
  readonly nextLookAt = undefined;
  private readonly turns = new BackgroundTurns<PrunerOfTenant>((pruner) => pruner.round());

  constructor(
    private readonly tenants: (names: readonly string[]) => readonly TenantWithHistory[],
  ) {}

  over(names: readonly string[]): Promise<void> {
    this.turns.add(this.tenants(names).map(({ historyPruner }) => historyPruner));
    return Promise.resolve();
  }

  /** Resolves when no statement is under way. */
  whenIdle(): Promise<void> {
    return this.turns.whenIdle();
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
