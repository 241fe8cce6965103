import { Batcher } from '../../runtime/batcher.js';
import { lateReads } from '../late-reads.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { ItemStore, TaskKey, TenantStore } from '../../store/port/index.js';
import { claimKey, type TaskClaim } from '../claims/task-claim.js';

/** Maximum number of items that one statement reads. */
const MAX_ITEMS = 300;
const MAX_STATEMENTS = 2;

/**
 * Reads the items of claims, many in a statement. The claim itself does not return them, so that claims of tasks have no
 * column for it.
 */
export class ItemReader {
  private readonly batcher: Batcher<TaskClaim, ReadItem | undefined>;

  constructor(
    private readonly store: { readonly items: Pick<ItemStore, 'read'> } & FailureClassifier &
      Pick<TenantStore, 'schema'>,
    clock: Clock,
  ) {
    this.batcher = new Batcher<TaskClaim, ReadItem | undefined>({
      clock,
      maxItems: MAX_ITEMS,
      maxStatements: MAX_STATEMENTS,
      send: (claims) => this.read(claims),
      classify: (error) => store.classifyFailure(error),
      late: lateReads(store.schema, 'the items of maps'),
    });
  }

  /**
   * Reads the item of a claim. Returns whether it may begin: not after another item of a map that fails with its first
   * failure.
   */
  async fill(claim: TaskClaim): Promise<boolean> {
    const read = await this.batcher.add(claim);
    if (read === undefined) throw new Error(`The row of item ${claim.key} is missing.`);
    claim.item = read.item;
    return !read.hasFailed;
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

  private async read(claims: readonly TaskClaim[]): Promise<(ReadItem | undefined)[]> {
    const keys = claims.map(({ executionId, taskNo, itemNo }) => ({ executionId, taskNo, itemNo }));
    const maps = new Map(claims.filter(({ failsFast }) => failsFast).map(mapOf));
    const rows = await this.store.items.read([...keys, ...maps.values()]);
    const byKey = new Map(rows.map((row) => [claimKey(row), row]));
    return claims.map((claim) => {
      const row = byKey.get(claim.key);
      if (row === undefined) return undefined;
      const hasFailed = claim.failsFast && byKey.get(mapOf(claim)[0])?.hasUnmet === true;
      return { item: row.item ?? 'null', hasFailed };
    });
  }
}

/** An item, and whether its map fails because of another one. */
interface ReadItem {
  readonly item: string;
  readonly hasFailed: boolean;
}

/** The map of an item, by its key. */
function mapOf({ executionId, taskNo }: TaskClaim): [key: string, map: TaskKey] {
  const map = { executionId, taskNo, itemNo: 0 };
  return [claimKey(map), map];
}
