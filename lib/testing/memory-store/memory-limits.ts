import type {
  ClaimedKey,
  ClaimKey,
  LeaseWrite,
  LimitedChoice,
  LimitedClaims,
  LimitRequest,
} from '../../store/port/index.js';
import { defaultConcurrency, splitLimitKey, UNLIMITED } from '../../workflow/limit.js';
import { claimAll, rowKey } from './memory-claims.js';
import { isWaiting, type MemorySlot, type MemoryTask, type WaitingTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';
import { tokensOf } from './memory-tokens-of-rate.js';

/** A key under a claim: its slot, its due tasks in their order, and how many of them may begin. */
interface OpenKey {
  readonly limitKey: string;
  readonly slot: MemorySlot;
  readonly due: MemoryTask[];
  /** Due tasks that hold slots of a strict key: they run again without another slot. */
  readonly again: MemoryTask[];
  readonly open: number;
  readonly tokens: number;
  /** The time of the first token, and the interval between two, in milliseconds. Undefined without a rate. */
  readonly rate:
    { readonly first: number; readonly everyMs: number; readonly burst: number } | undefined;
  readonly weight: number;
  /** Whether the holders of slots are kept. */
  readonly isCounted: boolean;
  readonly total: { readonly slot: MemorySlot; free: number } | undefined;
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
  const totals = new Map<string, NonNullable<OpenKey['total']>>();
  const keys = requests.map((request) => openKey(tables, request, choice, totals));
  const taken = inTurn(keys, room);
  const claims = claimAll(
    tables,
    taken.map(({ task }) => task),
    lease,
  );
  for (const { key, task } of taken) {
    const held = claimOf(task);
    if (key.isCounted)
      key.slot.holders = [...key.slot.holders.filter((one) => !isSame(one, held)), held];
    key.slot.claimedAt = tables.now();
    if (key.total !== undefined) key.total.slot.holders = [...key.total.slot.holders, held];
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
  const left = new Map(keys.map((key) => [key, Math.max(0, key.open)]));
  const tokens = new Map(keys.map((key) => [key, key.tokens]));
  const next = (key: OpenKey): MemoryTask | undefined => {
    if ((tokens.get(key) ?? 0) <= 0 || (key.total?.free ?? 1) <= 0) return undefined;
    const again = key.again.shift();
    if (again !== undefined) return again;
    const open = left.get(key) ?? 0;
    const task = open > 0 ? key.due.shift() : undefined;
    if (task !== undefined) left.set(key, open - 1);
    return task;
  };
  for (let before = -1; before < taken.length && taken.length < room;) {
    before = taken.length;
    for (const key of keys) {
      for (let n = 0; n < key.weight && taken.length < room; n++) {
        const task = next(key);
        if (task === undefined) break;
        tokens.set(key, (tokens.get(key) ?? 0) - 1);
        if (key.total !== undefined) key.total.free--;
        taken.push({ key, task });
      }
    }
  }
  return taken;
}

function openKey(
  tables: MemoryTables,
  { limitKey, numbers }: LimitRequest,
  choice: LimitedChoice,
  totals: Map<string, NonNullable<OpenKey['total']>>,
): OpenKey {
  const { name } = splitLimitKey(limitKey);
  const set = tables.limits.get(name);
  const slot = slotOf(tables, limitKey);
  const isStrict = numbers.isStrict === true;
  slot.holders = slot.holders.filter((held) => isHeld(tables, held, isStrict));
  const concurrency =
    slot.concurrency ?? set?.concurrency ?? numbers.concurrency ?? defaultConcurrency(name);
  const rate = slot.rate ?? set?.rate ?? numbers.rate;
  const { tokens, first, everyMs } = tokensOf(tables.now(), slot, rate);
  const due = dueOf(tables, limitKey, choice);
  const holds = (task: MemoryTask): boolean =>
    isStrict && slot.holders.some((held) => isSame(held, task));
  return {
    limitKey,
    slot,
    due: due.filter((task) => !holds(task)),
    again: due.filter(holds),
    isCounted: concurrency < UNLIMITED,
    open: Math.min(concurrency - slot.holders.length, tokens),
    tokens,
    rate: rate === undefined ? undefined : { first, everyMs, burst: rate.burst },
    weight: Math.max(1, slot.weight ?? 1),
    total: totalOf(tables, name, set?.total ?? numbers.total, totals),
  };
}

function totalOf(
  tables: MemoryTables,
  name: string,
  total: number | undefined,
  totals: Map<string, NonNullable<OpenKey['total']>>,
): OpenKey['total'] {
  if (total === undefined) return undefined;
  const known = totals.get(name);
  if (known !== undefined) return known;
  const slot = slotOf(tables, name);
  slot.holders = slot.holders.filter((held) => isHeld(tables, held));
  const made = { slot, free: total - slot.holders.length };
  totals.set(name, made);
  return made;
}

/** Notes the taken tokens, and says what is left of the key. */
function settle(tables: MemoryTables, key: OpenKey, claimed: number): ClaimedKey {
  const { limitKey, slot, rate, tokens, due, again, open, total } = key;
  const next = rate === undefined ? undefined : rate.first + claimed * rate.everyMs;
  if (next !== undefined && claimed > 0) slot.nextTokenAt = next;
  const isOpen = claimed < open && (total?.free ?? 1) > 0;
  const tokenInMs =
    next !== undefined && claimed >= tokens ? Math.max(0, Math.ceil(next - tables.now())) : null;
  return {
    limitKey,
    claimed,
    fate: (isOpen && due.length > 0) || again.length > 0 ? 'more' : 'done',
    tokenInMs,
    hasTotal: total !== undefined,
    rate:
      tokenInMs === null || rate === undefined
        ? null
        : { everyMs: rate.everyMs, burst: rate.burst },
  };
}

/** Whether the claim still holds its slot: the task's row has its token, or it is of a strict key and will run again. */
export function isHeld(tables: MemoryTables, held: ClaimKey, isStrict = false): boolean {
  const task = tables.task(held);
  if (task?.claimToken === held.token) return true;
  return isStrict && task !== undefined && RUNS.has(task.status);
}

const RUNS: ReadonlySet<string> = new Set(['Ready', 'Running', 'Waiting']);

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

export function dueTasks(tables: MemoryTables): (WaitingTask & { readonly limitKey: string })[] {
  const now = tables.now();
  return tables
    .allTasks()
    .filter(isWaiting)
    .flatMap((task) =>
      task.limitKey === null || task.runAt > now
        ? []
        : (task as WaitingTask & { limitKey: string }),
    );
}

function claimOf({ executionId, taskNo, itemNo, claimToken }: MemoryTask): ClaimKey {
  return { executionId, taskNo, itemNo, token: claimToken };
}

export function slotOf(tables: MemoryTables, limitKey: string): MemorySlot {
  const known = tables.slots.get(limitKey);
  if (known !== undefined) return known;
  const made: MemorySlot = {
    concurrency: null,
    rate: null,
    weight: null,
    nextTokenAt: null,
    claimedAt: 0,
    holders: [],
  };
  tables.slots.set(limitKey, made);
  return made;
}
