import type { HistoryPruner } from './history-pruner.js';

/** A tenant of the pass. */
export interface TenantWithHistory {
  readonly historyPruner: Pick<HistoryPruner, 'round'>;
}

/**
 * A pass of the maintenance sweep: deletes old records of firings, and old polls, of one tenant after the other.
 *
 * The sweep does not wait for it: while the connections are busy, the statements of fifty tenants may take a minute, and the
 * sweep has to look for lost processes in that time.
 */
export class HistoryPass {
  readonly nextLookAt = undefined;
  private readonly waiting = new Set<TenantWithHistory['historyPruner']>();
  private work: Promise<void> | undefined;

  constructor(
    private readonly tenants: (names: readonly string[]) => readonly TenantWithHistory[],
  ) {}

  over(names: readonly string[]): Promise<void> {
    for (const { historyPruner } of this.tenants(names)) this.waiting.add(historyPruner);
    this.work ??= this.prune().finally(() => (this.work = undefined));
    return Promise.resolve();
  }

  /** Resolves when no statement is under way. */
  async whenIdle(): Promise<void> {
    await this.work;
  }

  private async prune(): Promise<void> {
    // Those that come during this are at the end.
    for (const pruner of this.waiting) {
      this.waiting.delete(pruner);
      await pruner.round();
    }
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
