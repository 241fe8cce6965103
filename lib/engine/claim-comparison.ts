import type { ClaimedTask, TenantStore } from '../store/store.js';
import type { ClaimTable } from './claim-table.js';

export interface ClaimComparisonParts {
  readonly store: TenantStore;
  readonly claims: ClaimTable;
  readonly instanceId: () => string;
  /** Takes up a claim that the database holds and memory doesn't know. */
  readonly adopt: (task: ClaimedTask) => Promise<void>;
}

/** Until a comparison that failed is made again, in milliseconds. */
const RETRY_MS = 250;

/**
 * Compares what the database holds as claimed by this process with memory. After a lost reply either may know of
 * claims that the other doesn't: those are adopted, or dropped as lost.
 */
export class ClaimComparison {
  private running: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private again = false;
  private closed = false;

  constructor(private readonly parts: ClaimComparisonParts) {}

  /** Whether there are doubts that no comparison has settled yet. */
  get isPending(): boolean {
    return this.running !== undefined || this.retry !== undefined;
  }

  /** Compares soon. One comparison at a time; it starts over when doubts come up meanwhile, or when it failed. */
  request(): void {
    if (this.closed) return;
    if (this.running !== undefined) {
      this.again = true;
      return;
    }
    clearTimeout(this.retry);
    this.retry = undefined;
    this.again = false;
    this.running = this.runOnce().then(
      () => this.ended(false),
      () => this.ended(true),
    );
  }

  /** Resolves when no comparison is under way. */
  async settled(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.retry);
    this.retry = undefined;
  }

  private ended(failed: boolean): void {
    this.running = undefined;
    if (failed && !this.closed) {
      this.retry = setTimeout(() => this.request(), RETRY_MS);
      this.retry.unref();
    } else if (this.again) {
      this.request();
    }
  }

  private async runOnce(): Promise<void> {
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
