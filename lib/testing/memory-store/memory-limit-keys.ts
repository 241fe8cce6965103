import type {
  LimitChange,
  LimitKeyRow,
  LimitKeysPage,
  MapKey,
  PrunedKeys,
} from '../../store/port/index.js';
import { FAIR_LIMIT, slotKeyOf, splitLimitKey, type LimitTable } from '../../workflow/limit.js';
import { isMapLimit } from '../../workflow/map-limit.js';
import { dueTasks, isHeld, slotOf } from './memory-slots.js';
import { isWaiting } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** Number of keys that one pruning looks at. */
const PRUNED_PAGE = 500;

export function setLimit(tables: MemoryTables, name: string, change: LimitChange): void {
  const known = tables.limits.get(name) ?? { concurrency: null, rate: null, total: null };
  const { concurrency = known.concurrency, rate = known.rate, total = known.total } = change;
  tables.limits.set(name, { concurrency, rate, total });
}

export function setKey(tables: MemoryTables, limitKey: string, change: LimitChange): void {
  const slot = slotOf(tables, limitKey);
  const { concurrency = slot.concurrency, rate = slot.rate, weight = slot.weight } = change;
  Object.assign(slot, { concurrency, rate, weight });
}

/** Forgets the key of a map that is Completed. */
export function closeMapLimit(tables: MemoryTables, map: MapKey, limitKey: string): void {
  if (tables.task({ ...map, itemNo: 0 })?.status === 'Completed') tables.slots.delete(limitKey);
}

/** Forgets keys that are not used. */
export function pruneKeys(
  tables: MemoryTables,
  limits: LimitTable,
  idleMs: number,
  after: string | null,
): PrunedKeys {
  const now = tables.now();
  const page = keysBehind(tables, after).slice(0, PRUNED_PAGE);
  const unused = page.filter((key) => {
    const slot = slotOf(tables, key);
    const refillMs = refillOf(tables, limits, key);
    return (
      refillMs !== undefined &&
      slot.concurrency === null &&
      slot.rate === null &&
      slot.weight === null &&
      slot.claimedAt <= now - idleMs &&
      (slot.nextTokenAt ?? -Infinity) <= now - refillMs &&
      !slot.holders.some((held) => isHeld(tables, held, isStrict(limits, key))) &&
      !tables.allTasks().some((task) => isWaiting(task) && task.limitKey === key)
    );
  });
  for (const key of unused) tables.slots.delete(key);
  return {
    deleted: unused.length,
    last: page.length === PRUNED_PAGE ? (page.at(-1) ?? null) : null,
  };
}

/** How long it takes until all tokens are back, in milliseconds. Undefined for a limit that the code does not have. */
function refillOf(tables: MemoryTables, limits: LimitTable, key: string): number | undefined {
  if (isMapLimit(key)) return 0;
  const { name } = splitLimitKey(key);
  if (name === FAIR_LIMIT) return 0;
  if (!limits.has(name)) return undefined;
  const rate = tables.limits.get(name)?.rate ?? limits.get(name)?.rate;
  return rate === undefined
    ? 0
    : (rate.burst * Math.ceil((rate.perMs * 1_000) / rate.limit)) / 1_000;
}

function isStrict(limits: LimitTable, key: string): boolean {
  return limits.get(splitLimitKey(key).name)?.isStrict === true;
}

/** The keys of tasks, in their order. A slot without a separator is that of a total. */
function keysBehind(tables: MemoryTables, after: string | null): string[] {
  return [...tables.slots.keys()]
    .filter((key) => key.includes('\u001f') && key > (after ?? ''))
    .sort();
}

export function limitKeys(
  tables: MemoryTables,
  { name, after, count, strict = [] }: LimitKeysPage,
): LimitKeyRow[] {
  return keysBehind(tables, after)
    .filter((key) => !isMapLimit(key) && (name === null || splitLimitKey(key).name === name))
    .slice(0, count)
    .map((key) => rowOf(tables, key, strict));
}

export function theseLimitKeys(
  tables: MemoryTables,
  keys: readonly string[],
  strict: readonly string[],
): LimitKeyRow[] {
  return keys
    .filter((key) => tables.slots.has(key))
    .sort()
    .map((key) => rowOf(tables, key, strict));
}

function rowOf(tables: MemoryTables, limitKey: string, strict: readonly string[]): LimitKeyRow {
  const slot = slotOf(tables, limitKey);
  const { name } = splitLimitKey(limitKey);
  const set = tables.limits.get(name);
  const rate = slot.rate ?? set?.rate ?? null;
  const waiting = dueTasks(tables).filter((task) => slotKeyOf(task.limitKey) === limitKey);
  const now = tables.now();
  return {
    limitKey,
    concurrency: slot.concurrency ?? set?.concurrency ?? null,
    rate: rate?.limit ?? null,
    rateMs: rate?.perMs ?? null,
    burst: rate?.burst ?? null,
    total: set?.total ?? null,
    weight: slot.weight ?? 1,
    holders: slot.holders
      .filter((held) => isHeld(tables, held, strict.includes(name)))
      .map(({ executionId, taskNo, itemNo }) => ({
        executionId,
        taskNo,
        itemNo,
        definitionId: tables.task({ executionId, taskNo, itemNo })?.definitionId ?? '',
      })),
    waiting: Math.min(1_000, waiting.length),
    oldestForMs: waiting.length === 0 ? null : now - Math.min(...waiting.map(({ runAt }) => runAt)),
    tokenInMs: slot.nextTokenAt === null ? null : Math.round(slot.nextTokenAt - now),
  };
}
