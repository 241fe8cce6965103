import type {
  ClaimedKey,
  ClaimKey,
  LeaseWrite,
  LimitedChoice,
  LimitedClaims,
  LimitRequest,
} from '../../store/port/index.js';
import {
  defaultConcurrency,
  mapKeyIn,
  slotKeyOf,
  splitLimitKey,
  UNLIMITED,
  type CheckedNumbers,
} from '../../workflow/limit.js';
import { claimAll, rowKey } from './memory-claims.js';
import type { MemorySlot, MemoryTask } from './memory-rows.js';
import { dueTasks, isHeld, slotOf } from './memory-slots.js';
import type { MemoryTables } from './memory-tables.js';
import { tokensOf } from './memory-tokens-of-rate.js';

/** A row of slots under a claim, which several keys may share. */
interface OpenSlots {
  readonly slot: MemorySlot;
  free: number;
}

/** The slots of a limit's key, with its tokens. */
interface KeySlots extends OpenSlots {
  /** Whether the holders of slots are kept. */
  readonly isCounted: boolean;
  readonly tokens: number;
  taken: number;
  /** The time of the first token, and the interval between two, in milliseconds. Undefined without a rate. */
  readonly rate:
    { readonly first: number; readonly everyMs: number; readonly burst: number } | undefined;
}

/** A key under a claim: the slots that its tasks take, and its due tasks in their order. */
interface OpenKey {
  readonly limitKey: string;
  readonly of: KeySlots;
  readonly due: MemoryTask[];
  /** Due tasks that hold slots of a strict key: they run again without another slot. */
  readonly again: MemoryTask[];
  readonly weight: number;
  readonly hasTotal: boolean;
  /** The slots of the map, and of all keys of the limit. */
  readonly beside: readonly OpenSlots[];
}

/** The slots under a claim, by their keys. */
interface ClaimedSlots {
  readonly keys: Map<string, KeySlots>;
  readonly others: Map<string, OpenSlots>;
}

/** Keys with due tasks of the definitions, from the first one behind `after` on. */
export function dueKeys(
  tables: MemoryTables,
  definitions: readonly string[],
  after: string | null,
  count: number,
): string[] {
  const keys = new Set(
    dueTasks(tables)
      .filter((task) => definitions.includes(task.definitionId))
      .map(({ limitKey }) => limitKey),
  );
  return [...keys]
    .filter((key) => key > (after ?? ''))
    .sort()
    .slice(0, count);
}

/** Claims due tasks of the keys in turn, as far as their limits allow. */
export function claimLimited(
  tables: MemoryTables,
  requests: readonly LimitRequest[],
  room: number,
  choice: LimitedChoice,
  lease: LeaseWrite,
): LimitedClaims {
  const slots: ClaimedSlots = { keys: new Map(), others: new Map() };
  const keys = requests.map((request) => openKey(tables, request, choice, slots));
  const taken = inTurn(keys, room);
  const claims = claimAll(
    tables,
    taken.map(({ task }) => task),
    lease,
  );
  for (const { key, task } of taken) {
    const held = claimOf(task);
    const { slot, isCounted } = key.of;
    if (isCounted) slot.holders = [...slot.holders.filter((one) => !isSame(one, held)), held];
    slot.claimedAt = tables.now();
    for (const beside of key.beside) beside.slot.holders = [...beside.slot.holders, held];
  }
  return {
    claims: claims.map((claim, i) => ({ ...claim, limitKey: taken[i]?.key.limitKey })),
    keys: keys.map((key) => settle(tables, key, taken.filter((one) => one.key === key).length)),
  };
}

/** Takes one task of each key, then a second one of each, and as many as its weight of a key. */
function inTurn(
  keys: readonly OpenKey[],
  room: number,
): { readonly key: OpenKey; readonly task: MemoryTask }[] {
  const taken: { readonly key: OpenKey; readonly task: MemoryTask }[] = [];
  for (let before = -1; before < taken.length && taken.length < room;) {
    before = taken.length;
    for (const key of keys) {
      for (let n = 0; n < key.weight && taken.length < room; n++) {
        const task = takeOf(key);
        if (task === undefined) break;
        taken.push({ key, task });
      }
    }
  }
  return taken;
}

/** The next task of the key, with the slots and the token that it takes. */
function takeOf(key: OpenKey): MemoryTask | undefined {
  const { of, beside, again, due } = key;
  if (!hasTokens(of) || beside.some(({ free }) => free <= 0)) return undefined;
  const task = again.shift() ?? (of.free > 0 ? due.shift() : undefined);
  if (task === undefined) return undefined;
  if (!isHolder(of.slot, task)) of.free--;
  of.taken++;
  for (const slots of beside) slots.free--;
  return task;
}

function hasTokens({ tokens, taken }: KeySlots): boolean {
  return taken < tokens;
}

function isHolder(slot: MemorySlot, task: MemoryTask): boolean {
  return slot.holders.some((held) => isSame(held, task));
}

function openKey(
  tables: MemoryTables,
  { limitKey, numbers, mapConcurrency, definitions }: LimitRequest,
  choice: LimitedChoice,
  slots: ClaimedSlots,
): OpenKey {
  const { name } = splitLimitKey(limitKey);
  const mapKey = mapKeyIn(limitKey);
  const isStrict = numbers.isStrict === true;
  const of = keySlots(tables, slotKeyOf(limitKey), numbers, slots);
  const due = dueOf(tables, limitKey, {
    ...choice,
    definitions: definitions ?? choice.definitions,
  });
  const holds = (task: MemoryTask): boolean => isStrict && isHolder(of.slot, task);
  const total = tables.limits.get(name)?.total ?? numbers.total;
  return {
    limitKey,
    of,
    due: due.filter((task) => !holds(task)),
    again: due.filter(holds),
    weight: Math.max(1, of.slot.weight ?? 1),
    hasTotal: total !== undefined,
    beside: [
      ...(total === undefined ? [] : [otherSlots(tables, name, total, slots)]),
      ...(mapKey === undefined || mapConcurrency === undefined
        ? []
        : [otherSlots(tables, mapKey, mapConcurrency, slots)]),
    ],
  };
}

function keySlots(
  tables: MemoryTables,
  slotKey: string,
  numbers: CheckedNumbers,
  { keys }: ClaimedSlots,
): KeySlots {
  const known = keys.get(slotKey);
  if (known !== undefined) return known;
  const { name } = splitLimitKey(slotKey);
  const set = tables.limits.get(name);
  const slot = slotOf(tables, slotKey);
  slot.holders = slot.holders.filter((held) => isHeld(tables, held, numbers.isStrict === true));
  const concurrency =
    slot.concurrency ?? set?.concurrency ?? numbers.concurrency ?? defaultConcurrency(name);
  const rate = slot.rate ?? set?.rate ?? numbers.rate;
  const { tokens, first, everyMs } = tokensOf(tables.now(), slot, rate);
  const made: KeySlots = {
    slot,
    free: concurrency - slot.holders.length,
    isCounted: concurrency < UNLIMITED,
    tokens,
    taken: 0,
    rate: rate === undefined ? undefined : { first, everyMs, burst: rate.burst },
  };
  keys.set(slotKey, made);
  return made;
}

/** The slots of a map, or of a total. */
function otherSlots(
  tables: MemoryTables,
  slotKey: string,
  count: number,
  { others }: ClaimedSlots,
): OpenSlots {
  const known = others.get(slotKey);
  if (known !== undefined) return known;
  const slot = slotOf(tables, slotKey);
  slot.holders = slot.holders.filter((held) => isHeld(tables, held));
  const made = { slot, free: count - slot.holders.length };
  others.set(slotKey, made);
  return made;
}

/** Notes the taken tokens, and returns the rest of the key. */
function settle(tables: MemoryTables, key: OpenKey, claimed: number): ClaimedKey {
  const { limitKey, of, due, again, beside } = key;
  const { slot, rate, taken, free } = of;
  const next = rate === undefined ? undefined : rate.first + taken * rate.everyMs;
  if (next !== undefined && claimed > 0) slot.nextTokenAt = next;
  const isOpen = free > 0 && hasTokens(of) && beside.every((slots) => slots.free > 0);
  const tokenInMs =
    next !== undefined && !hasTokens(of) ? Math.max(0, Math.ceil(next - tables.now())) : null;
  return {
    limitKey,
    claimed,
    fate: (isOpen && due.length > 0) || again.length > 0 ? 'more' : 'done',
    tokenInMs,
    hasTotal: key.hasTotal,
    rate:
      tokenInMs === null || rate === undefined
        ? null
        : { everyMs: rate.everyMs, burst: rate.burst },
  };
}

function isSame(
  one: Pick<ClaimKey, 'executionId' | 'taskNo' | 'itemNo'>,
  other: Pick<ClaimKey, 'executionId' | 'taskNo' | 'itemNo'>,
): boolean {
  return rowKey(one) === rowKey(other);
}

function dueOf(
  tables: MemoryTables,
  limitKey: string,
  { definitions, unknown, except = [] }: LimitedChoice,
): MemoryTask[] {
  const left = new Set(unknown.map(([definition, taskNo]) => `${definition}/${taskNo}`));
  const excepted = new Set(except.map(rowKey));
  return dueTasks(tables)
    .filter(
      (task) =>
        task.limitKey === limitKey &&
        definitions.includes(task.definitionId) &&
        !left.has(`${task.definitionId}/${task.taskNo}`) &&
        !excepted.has(rowKey(task)),
    )
    .sort((a, b) => b.priority - a.priority || a.runAt - b.runAt);
}

function claimOf({ executionId, taskNo, itemNo, claimToken }: MemoryTask): ClaimKey {
  return { executionId, taskNo, itemNo, token: claimToken };
}
