import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { ItemRow, ItemStore } from '../../store/port/index.js';
import { claimKey, type TaskClaim } from '../claims/task-claim.js';

/** Maximum number of items that one statement reads. */
const MAX_ITEMS = 300;
const MAX_STATEMENTS = 2;

/**
 * Reads the items of claims, many in a statement. The claim itself does not return them, so that claims of tasks have no
 * column for it.
 */
export class ItemReader {
  private readonly batcher: Batcher<TaskClaim, ItemRow | undefined>;

  constructor(
    private readonly store: { readonly items: Pick<ItemStore, 'read'> } & FailureClassifier,
    clock: Clock,
  ) {
    this.batcher = new Batcher({
      clock,
      maxItems: MAX_ITEMS,
      maxStatements: MAX_STATEMENTS,
      send: (claims) => this.read(claims),
      classify: (error) => store.classifyFailure(error),
    });
  }

  /**
   * Reads the item of a claim. Returns whether it may begin: not after another item of a map that fails with its first
   * failure.
   */
  async fill(claim: TaskClaim): Promise<boolean> {
    const row = await this.batcher.add(claim);
    if (row === undefined) throw new Error(`The row of item ${claim.key} is missing.`);
    claim.item = row.item;
    return !(row.hasUnmet && claim.failsFast);
  }

  get isBusy(): boolean {
    return this.batcher.size > 0;
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  private async read(claims: readonly TaskClaim[]): Promise<(ItemRow | undefined)[]> {
    const keys = claims.map(({ executionId, taskNo, itemNo }) => ({ executionId, taskNo, itemNo }));
    const rows = await this.store.items.read(keys);
    const byKey = new Map(rows.map((row) => [claimKey(row), row]));
    return claims.map(({ key }) => byKey.get(key));
  }
}
