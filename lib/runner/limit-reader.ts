import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import type { Clock } from '../runtime/clock.js';
import type { LimitKeyRow, LimitStore, SlotHolder } from '../store/port/index.js';
import { MAX_CONCURRENCY, splitLimitKey } from '../workflow/index.js';
import { encodeLimitCursor, type CheckedLimitFilter } from './limit-arguments.js';
import type { LimitHolder, LimitPage, LimitState } from './limit-state.js';

/** Number of keys that a search for full ones reads at a time. */
const PAGE = 200;

/** Reads the keys of limits, with the numbers of the running code where none were set. */
export class LimitReader {
  constructor(
    private readonly store: Pick<LimitStore, 'keys' | 'keysOf'>,
    private readonly catalog: Pick<DefinitionCatalog, 'limits' | 'find'>,
    private readonly clock: Pick<Clock, 'wallTime'>,
  ) {}

  /** The states of these keys by their stored forms. A key without a claim so far has none. */
  async statesOf(limitKeys: readonly string[]): Promise<ReadonlyMap<string, LimitState>> {
    const states = new Map<string, LimitState>();
    if (limitKeys.length === 0) return states;
    for (const row of await this.store.keysOf([...new Set(limitKeys)])) {
      states.set(row.limitKey, await this.view(row));
    }
    return states;
  }

  async list({ name, full, limit, after }: CheckedLimitFilter): Promise<LimitPage> {
    const items: LimitState[] = [];
    let last = after;
    for (;;) {
      // The key after the page tells whether there is another page.
      const wanted = full ? PAGE : limit + 1;
      const rows = await this.store.keys(name, last, wanted);
      for (const row of rows) {
        const state = await this.view(row);
        if (full && !isFull(state)) continue;
        if (items.length === limit) return { items, nextCursor: encodeLimitCursor(last ?? '') };
        items.push(state);
        last = row.limitKey;
      }
      if (rows.length < wanted) return { items, nextCursor: null };
      if (full) last = rows.at(-1)?.limitKey ?? last;
    }
  }

  private async view(row: LimitKeyRow): Promise<LimitState> {
    const { limitKey, weight, waiting, holders, oldestForMs, tokenInMs } = row;
    const { name, key } = splitLimitKey(limitKey);
    const code = this.catalog.limits.get(name) ?? {};
    const { rate: limit, rateMs: perMs, burst } = row;
    const rate = limit === null || perMs === null ? code.rate : { limit, perMs, burst: burst ?? 1 };
    const total = row.total ?? code.total;
    const now = this.clock.wallTime();
    return {
      name,
      ...(key === '' ? {} : { key }),
      inUse: holders.length,
      concurrency: row.concurrency ?? code.concurrency ?? MAX_CONCURRENCY,
      ...(rate === undefined
        ? {}
        : { rate: { limit: rate.limit, per: rate.perMs, burst: rate.burst } }),
      ...(total === undefined ? {} : { total }),
      weight,
      waiting,
      ...(oldestForMs === null ? {} : { oldest: new Date(now - oldestForMs) }),
      ...(rate === undefined || tokenInMs === null || tokenInMs <= 0
        ? {}
        : { nextAt: new Date(now + tokenInMs) }),
      holders: await Promise.all(holders.map((holder) => this.viewHolder(holder))),
    };
  }

  private async viewHolder({
    executionId,
    taskNo,
    definitionId,
  }: SlotHolder): Promise<LimitHolder> {
    const definition = await this.catalog.find(definitionId).catch(() => undefined);
    return { executionId, task: definition?.workflow.tasks[taskNo]?.name ?? String(taskNo) };
  }
}

function isFull({ inUse, concurrency, nextAt }: LimitState): boolean {
  return inUse >= concurrency || nextAt !== undefined;
}
