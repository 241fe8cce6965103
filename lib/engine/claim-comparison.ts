import type { ClaimedTask, TenantStore } from '../store/store.js';
import type { ClaimTable } from './claim-table.js';

export interface ClaimComparisonParts {
  readonly store: TenantStore;
  readonly claims: ClaimTable;
  readonly instanceId: () => string;
  /** Takes up a claim that the database holds and memory doesn't know. */
  readonly adopt: (task: ClaimedTask) => Promise<void>;
  readonly tryAgain: () => void;
}

/**
 * Compares what the database holds as claimed by this process with memory. After a lost reply either may know of
 * claims that the other doesn't: those are adopted, or dropped as lost.
 */
export class ClaimComparison {
  private running: Promise<void> | undefined;
  private again = false;

  constructor(private readonly parts: ClaimComparisonParts) {}

  /** Compares soon. One comparison at a time; it starts over when doubts come up meanwhile. */
  request(): void {
    if (this.running !== undefined) {
      this.again = true;
      return;
    }
    this.running = this.runOnce()
      .catch(() => this.parts.tryAgain())
      .finally(() => {
        this.running = undefined;
        if (!this.again) return;
        this.again = false;
        this.request();
      });
  }

  /** Resolves when no comparison is under way. */
  async settled(): Promise<void> {
    await this.running;
  }

  async runOnce(): Promise<void> {
    const { store, claims, instanceId, adopt } = this.parts;
    const before = claims.all().filter((claim) => claim.stage !== 'settled');
    await claims.compare(
      () => store.claimsOf(instanceId()),
      async (rows) => {
        const held = new Set(rows.map((row) => `${row.executionId}/${row.taskNo}/${row.token}`));
        for (const claim of before) {
          // One that is settled by now may have been recorded before the reading, with its reply on the way.
          const known = claim.stage === 'settled' || held.has(`${claim.key}/${claim.token}`);
          if (!known) claims.lose(claim);
        }
        for (const row of rows) await adopt(row);
      },
    );
  }
}
