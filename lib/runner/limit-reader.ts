import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import type { Clock } from '../runtime/clock.js';
import type { LimitKeyRow, LimitStore, SlotHolder } from '../store/port/index.js';
import {
  defaultConcurrency,
  mapKeyIn,
  slotKeyOf,
  splitLimitKey,
  UNLIMITED,
  untilNextToken,
} from '../workflow/index.js';
import { encodeLimitCursor, type CheckedLimitFilter } from './limit-arguments.js';
import type { LimitHolder, LimitPage, LimitState } from './limit-state.js';

/** Number of keys that a search for full ones reads at a time. */
const PAGE = 200;
/** Number of holders of a total that are shown: all keys of a limit show the same ones. */
const MAX_TOTAL_HOLDERS = 10;

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
    // An item of a map with a concurrency waits for two rows.
    const slots = limitKeys.flatMap((key) => [slotKeyOf(key), mapKeyIn(key) ?? []].flat());
    const rows = await this.store.keysOf([...new Set(slots)], this.strict);
    const totals = new Totals(this.store);
    for (const row of rows) states.set(row.limitKey, await this.view(row, totals));
    return states;
  }

  async list({ name, full, limit, after, maxRead }: CheckedLimitFilter): Promise<LimitPage> {
    const items: LimitState[] = [];
    const totals = new Totals(this.store);
    let last = after;
    for (let read = 0; ;) {
      // The key after the page tells whether there is another page.
      const wanted = full ? PAGE : limit + 1;
      const rows = await this.store.keys({ name, after: last, count: wanted, strict: this.strict });
      for (const row of rows) {
        const state = await this.view(row, totals);
        if (full && !isFull(state)) continue;
        if (items.length === limit) return { items, nextCursor: encodeLimitCursor(last ?? '') };
        items.push(state);
        last = row.limitKey;
      }
      if (rows.length < wanted) return { items, nextCursor: null };
      if (full) last = rows.at(-1)?.limitKey ?? last;
      read += rows.length;
      if (full && read >= maxRead) return { items, nextCursor: encodeLimitCursor(last ?? '') };
    }
  }

  /** The names of the strict limits. */
  private get strict(): string[] {
    return [...this.catalog.limits].flatMap(([name, { isStrict }]) => (isStrict ? [name] : []));
  }

  private async view(row: LimitKeyRow, totals: Totals): Promise<LimitState> {
    const { limitKey, weight, waiting, holders, oldestForMs, tokenInMs } = row;
    const { name, key } = splitLimitKey(limitKey);
    const code = this.catalog.limits.get(name) ?? {};
    const { rate: limit, rateMs: perMs, burst } = row;
    const rate = limit === null || perMs === null ? code.rate : { limit, perMs, burst: burst ?? 1 };
    const total = row.total ?? code.total;
    const concurrency = row.concurrency ?? code.concurrency ?? defaultConcurrency(name);
    const now = this.clock.wallTime();
    return {
      name,
      ...(key === '' ? {} : { key }),
      inUse: holders.length,
      ...(concurrency === UNLIMITED ? {} : { concurrency }),
      ...(rate === undefined
        ? {}
        : { rate: { limit: rate.limit, per: rate.perMs, burst: rate.burst } }),
      ...(total === undefined
        ? {}
        : { total, ...(await this.viewTotal(await totals.holders(name))) }),
      weight,
      waiting,
      ...(oldestForMs === null ? {} : { oldest: new Date(now - oldestForMs) }),
      ...(rate === undefined || tokenInMs === null || tokenInMs <= 0
        ? {}
        : { nextAt: new Date(now + untilNextToken(tokenInMs, rate)) }),
      holders: await Promise.all(holders.map((holder) => this.viewHolder(holder))),
    };
  }

  private async viewTotal(
    holders: readonly SlotHolder[],
  ): Promise<Required<Pick<LimitState, 'totalInUse' | 'totalHolders'>>> {
    const named = holders.slice(0, MAX_TOTAL_HOLDERS).map((holder) => this.viewHolder(holder));
    return { totalInUse: holders.length, totalHolders: await Promise.all(named) };
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

/** Whether no task of the key can begin now. */
function isFull({ inUse, concurrency, total, totalInUse = 0, nextAt }: LimitState): boolean {
  return (
    (concurrency !== undefined && inUse >= concurrency) ||
    (total !== undefined && totalInUse >= total) ||
    nextAt !== undefined
  );
}

/** The holders of the slots of totals. Each is read once for all keys of a page. */
class Totals {
  private readonly found = new Map<string, Promise<readonly SlotHolder[]>>();

  constructor(private readonly store: Pick<LimitStore, 'keysOf'>) {}

  holders(name: string): Promise<readonly SlotHolder[]> {
    const known = this.found.get(name) ?? this.read(name);
    this.found.set(name, known);
    return known;
  }

  private async read(name: string): Promise<readonly SlotHolder[]> {
    // The row of a total has only the name as its key.
    return (await this.store.keysOf([name]))[0]?.holders ?? [];
  }
}
