import {
  ADMIT_NEXT,
  type AdmissionKeyRow,
  type AdmissionLook,
  type AdmissionNumbers,
  type AdmissionPage,
  type AdmissionReply,
  type StartItem,
  type SupersededExecution,
} from '../../store/port/index.js';
import { admissionKeyRange } from '../../workflow/admission.js';
import { SCHEDULE_TURN_PREFIX } from '../../workflow/schedule-turn.js';
import { splitLimitKey, type CheckedRate } from '../../workflow/limit.js';
import type { MemoryExecution, MemoryTask, MemoryTurns } from './memory-rows.js';
import { keptKeyOf } from './memory-retention.js';
import type { MemoryTables } from './memory-tables.js';
import { tokensOf } from './memory-tokens-of-rate.js';

type Turn = MemoryExecution & { readonly runAt: number };

/** Whether the execution waits for its turn, now or later. */
export function waitsForTurn(execution: MemoryExecution): execution is Turn {
  const { admissionKey, admitted, completedAt, status } = execution;
  return admissionKey !== null && !admitted && completedAt === null && status !== 'Paused';
}

/** What an item with an admission finds: it begins, waits, or is skipped in favor of another execution. */
export type Turned =
  { readonly fate: 'begins' | 'waits' } | { readonly fate: 'skipped'; readonly instead: string };

/** Decides the items of one statement, in their order. */
export class MemoryAsks {
  private readonly open = new Map<string, number>();
  private readonly begun = new Map<string, string>();

  constructor(private readonly tables: MemoryTables) {}

  /** @param existing - the execution that has the id or the idempotency key of the item already */
  ask({ id, admission, runAt, delayMs }: StartItem, existing: string | undefined): Turned {
    if (admission === null) return { fate: 'begins' };
    const { tables } = this;
    const { key, numbers, skips } = admission;
    const now = tables.now();
    const isDue = (runAt?.getTime() ?? now) + (delayMs ?? 0) <= now;
    const open = this.open.get(key) ?? this.openOf(key, numbers);
    const begins = existing === undefined && isDue && open > 0;
    this.open.set(key, begins ? open - 1 : open);
    if (begins) {
      this.begun.set(key, id);
      take(tables, key, numbers, [{ id, generation: 0 }]);
      return { fate: 'begins' };
    }
    const last = turnsOf(tables, key).holders.at(-1)?.id;
    const instead = existing ?? this.begun.get(key) ?? last ?? waitingOf(tables, key)[0]?.id;
    return skips && instead !== undefined ? { fate: 'skipped', instead } : { fate: 'waits' };
  }

  private openOf(key: string, numbers: AdmissionNumbers): number {
    return waitingOf(this.tables, key).length > 0 ? 0 : openOf(this.tables, key, numbers);
  }
}

/** Numbers that were set for the key, or else for its workflow. Null: none were. */
function setFor(
  tables: MemoryTables,
  key: string,
): { readonly concurrency: number | null; readonly rate: CheckedRate | null } {
  const slot = tables.slots.get(key);
  const set = tables.limits.get(splitLimitKey(key).name);
  return {
    concurrency: slot?.concurrency ?? set?.concurrency ?? null,
    rate: slot?.rate ?? set?.rate ?? null,
  };
}

/** The numbers that hold now. */
function numbersFor(tables: MemoryTables, key: string, code: AdmissionNumbers): AdmissionNumbers {
  const set = setFor(tables, key);
  const rate = set.rate ?? code.rate;
  return {
    concurrency: set.concurrency ?? code.concurrency,
    ...(rate === undefined ? {} : { rate }),
  };
}

/** Free slots and tokens of the key. */
function openOf(tables: MemoryTables, key: string, code: AdmissionNumbers): number {
  const { concurrency, rate } = numbersFor(tables, key, code);
  const turns = turnsOf(tables, key);
  const held = turns.holders.filter((holder) => isHeld(tables, holder)).length;
  return Math.max(0, Math.min(concurrency - held, tokensOf(tables.now(), turns, rate).tokens));
}

function isHeld(tables: MemoryTables, { id, generation }: MemoryTurns['holders'][number]): boolean {
  const execution = tables.executions.get(id);
  return (
    execution !== undefined &&
    (execution.generation === generation
      ? execution.completedAt === null
      : execution.generation < generation)
  );
}

function take(
  tables: MemoryTables,
  key: string,
  code: AdmissionNumbers,
  added: MemoryTurns['holders'],
): void {
  const { rate } = numbersFor(tables, key, code);
  const turns = turnsOf(tables, key);
  const { first, everyMs } = tokensOf(tables.now(), turns, rate);
  if (rate !== undefined) turns.nextTokenAt = first + added.length * everyMs;
  // An execution of this statement may have no row yet.
  turns.holders = [...turns.holders.filter((holder) => isHeld(tables, holder)), ...added];
}

function turnsOf(tables: MemoryTables, key: string): MemoryTurns {
  const known = tables.turns.get(key);
  if (known !== undefined) return known;
  const made: MemoryTurns = { nextTokenAt: null, holders: [] };
  tables.turns.set(key, made);
  return made;
}

/** The due executions that wait for the key, in the order in which they are admitted. */
function waitingOf(tables: MemoryTables, key: string): Turn[] {
  const now = tables.now();
  return [...tables.executions.values()]
    .filter(waitsForTurn)
    .filter(({ admissionKey, runAt }) => admissionKey === key && runAt <= now)
    .sort((a, b) => b.priority - a.priority || a.runAt - b.runAt || (a.id < b.id ? -1 : 1));
}

export function waitingKeys(tables: MemoryTables, after: string | null, count: number): string[] {
  const now = tables.now();
  const waiting = [...tables.executions.values()].filter(waitsForTurn);
  const keys = new Set(waiting.flatMap((x) => (x.runAt <= now ? (x.admissionKey ?? []) : [])));
  return [...keys]
    .filter((key) => key > (after ?? ''))
    .sort()
    .slice(0, count);
}

export function admit(tables: MemoryTables, looks: readonly AdmissionLook[]): AdmissionReply {
  const replies = looks.map((look) => admitOf(tables, look));
  return {
    admitted: replies.flatMap(({ admitted }) => admitted),
    superseded: replies.flatMap(({ superseded }) => superseded),
    keys: replies.flatMap(({ keys }) => keys),
  };
}

function admitOf(tables: MemoryTables, look: AdmissionLook): AdmissionReply {
  const { key, numbers, ended } = look;
  const superseded = supersededOf(tables, look);
  const chosen =
    superseded.length > 0 ? [] : waitingOf(tables, key).slice(0, openOf(tables, key, numbers));
  if (chosen.length > 0) take(tables, key, numbers, chosen);
  const admitted = chosen.map((execution) => {
    execution.admitted = true;
    const { id, definitionId } = execution;
    const tasks = heldBack(tables, id);
    for (const task of tasks) task.runAt = tables.now();
    const limitKeys = [...new Set(tasks.flatMap(({ limitKey }) => limitKey ?? []))];
    return { id, key, definitionId, tasks: tasks.length, limitKeys };
  });
  for (const id of ended) {
    const execution = tables.executions.get(id);
    if (execution !== undefined && execution.completedAt !== null) {
      execution.unsettled &= ~ADMIT_NEXT;
    }
  }
  const { rate } = numbersFor(tables, key, numbers);
  const { tokens, first } = tokensOf(tables.now(), turnsOf(tables, key), rate);
  const tokenInMs =
    rate !== undefined && tokens <= 0 ? Math.max(0, Math.ceil(first - tables.now())) : null;
  const fate = superseded.length > 0 ? 'more' : 'done';
  return { admitted, superseded, keys: [{ key, fate, tokenInMs }] };
}

function heldBack(tables: MemoryTables, id: string): MemoryTask[] {
  return (tables.tasks.get(id) ?? []).filter(
    ({ status, runAt }) => status === 'Ready' && runAt === null,
  );
}

function supersededOf(
  tables: MemoryTables,
  { key, numbers: code, supersedes }: AdmissionLook,
): SupersededExecution[] {
  if (supersedes === 'none') return [];
  const numbers = numbersFor(tables, key, code);
  const { holders } = turnsOf(tables, key);
  const hasToken = tokensOf(tables.now(), turnsOf(tables, key), numbers.rate).tokens > 0;
  if (supersedes === 'all' && !hasToken) return [];
  const running = supersedes === 'all' ? holders.filter((holder) => isHeld(tables, holder)) : [];
  const all = [
    ...waitingOf(tables, key),
    ...running.flatMap(({ id }) => tables.executions.get(id) ?? []),
  ].sort((a, b) => (b.runAt ?? 0) - (a.runAt ?? 0) || (a.id < b.id ? 1 : -1));
  const newer = all[0]?.id ?? '';
  const staying = supersedes === 'all' ? numbers.concurrency : 1;
  return all.slice(staying).map(({ id }) => ({ id, key, newer }));
}

export function admissionStates(tables: MemoryTables, keys: readonly string[]): AdmissionKeyRow[] {
  return keys
    .filter((key) => tables.turns.has(key))
    .map((key) => {
      const { holders, nextTokenAt } = turnsOf(tables, key);
      const { concurrency, rate } = setFor(tables, key);
      return {
        key,
        concurrency,
        rate: rate?.limit ?? null,
        rateMs: rate?.perMs ?? null,
        burst: rate?.burst ?? null,
        holders: holders.filter((holder) => isHeld(tables, holder)).map(({ id }) => id),
        waiting: Math.min(1_000, waitingOf(tables, key).length),
        tokenInMs: nextTokenAt === null ? null : Math.round(nextTokenAt - tables.now()),
      };
    });
}

export function admissionPage(
  tables: MemoryTables,
  { workflow, after, count }: AdmissionPage,
): AdmissionKeyRow[] {
  const [from, to] = admissionKeyRange(workflow);
  const keys = [...tables.turns.keys()]
    .filter((key) => key > (after ?? from) && key < to && !key.startsWith(SCHEDULE_TURN_PREFIX))
    .sort();
  return admissionStates(tables, keys.slice(0, count));
}

/** The execution that has the id or the idempotency key of the item already. */
export function existingOf(
  tables: MemoryTables,
  { id, plan, idempotencyKey: key }: StartItem,
): string | undefined {
  if (tables.executions.has(id)) return id;
  const found = key === null ? undefined : tables.findByKey(plan.workflow, key)?.id;
  return found ?? keptKeyOf(tables, plan.workflow, key);
}
