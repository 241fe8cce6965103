import type {
  DueSchedule,
  FireReply,
  FiringRecord,
  MendedSchedules,
  NewFiring,
  ScheduleColumns,
  ScheduleError,
  ScheduleFire,
  ScheduleQuery,
  ScheduleRecord,
} from '../../store/port/index.js';
import { decodeSpec } from '../../workflow/schedule/index.js';
import { change } from './memory-rows.js';
import { insertScheduled } from './memory-starts.js';
import type { MemoryTables } from './memory-tables.js';

export type MemorySchedule = { -readonly [K in keyof ScheduleRecord]: ScheduleRecord[K] } & {
  /** The number of the first firing since its last change: times are too coarse to tell. */
  countsFrom: number;
};

export interface MemoryFiring extends FiringRecord {
  readonly schedule: string;
  readonly dueAt: number | null;
  /** In the order of the records. */
  readonly no: number;
  /** How an execution ended that was deleted since. */
  ended?: string;
}

/** Number of latest firings among which the failed executions are looked for. */
const MAX_LOOK_BACK = 1_000;

export function dueSchedules(
  tables: MemoryTables,
  workflows: readonly string[],
  limit: number,
  except: readonly string[],
): DueSchedule[] {
  const now = tables.now();
  return [...tables.schedules.values()]
    .filter(({ state, nextAt }) => state === 'active' && nextAt !== null && nextAt <= now)
    .filter(({ workflow, name }) => workflows.includes(workflow) && !except.includes(name))
    .sort((a, b) => (a.nextAt ?? 0) - (b.nextAt ?? 0))
    .slice(0, limit)
    .map((row) => ({
      ...row,
      lastStatus: tables.executions.get(row.lastExecutionId ?? '')?.status ?? null,
      hasFailed: hasFailed(tables, row),
      now,
    }));
}

/** Whether the last ended executions have all failed, as many as the spec allows. */
function hasFailed(tables: MemoryTables, { name, spec, countsFrom }: MemorySchedule): boolean {
  const { pauseAfterFailures: allowed } = decodeSpec(spec);
  if (allowed === undefined) return false;
  const ended = tables.firings
    .filter(({ schedule }) => schedule === name)
    .sort((a, b) => b.scheduledFor - a.scheduledFor)
    .slice(0, MAX_LOOK_BACK)
    .filter(({ outcome, no }) => outcome !== 'backfilled' && no >= countsFrom)
    .flatMap(
      ({ executionId, ended: end }) =>
        tables.executions.get(executionId ?? '')?.status ?? end ?? [],
    )
    .filter((status) => status === 'Completed' || status === 'Failed')
    .slice(0, allowed);
  return ended.length === allowed && ended.every((status) => status === 'Failed');
}

export function fire(tables: MemoryTables, schedules: readonly ScheduleFire[]): FireReply {
  let definitionsAreStored = true;
  const fired = schedules.map(({ name, version, firings, ...columns }) => {
    if (!areDefined(tables, firings)) definitionsAreStored = false;
    const row = tables.schedules.get(name);
    if (row?.version !== version) return false;
    if (row.state !== 'active' && columns.state === 'active') isChanged(tables, row);
    const { lastExecutionId } = row;
    change(row, { ...columns, version: version + 1 });
    for (const firing of firings) {
      const { start } = firing;
      const isNew = addFiring(tables, name, firing);
      if (start === null) continue;
      if (isNew) insertScheduled(tables, start);
      else if (start.id === columns.lastExecutionId) change(row, { lastExecutionId });
    }
    return true;
  });
  return { fired, definitionsAreStored };
}

/** Whether the definitions of all executions are stored. */
export function areDefined(tables: MemoryTables, firings: readonly NewFiring[]): boolean {
  return firings.every(
    ({ start }) => start === null || tables.definitions.has(start.plan.definitionId),
  );
}

/** False if the firing is recorded already. */
export function addFiring(
  tables: MemoryTables,
  schedule: string,
  firing: NewFiring,
  firedAt = tables.now(),
): boolean {
  const { start, ...facts } = firing;
  const isKnown = tables.firings.some(
    (one) => one.schedule === schedule && one.scheduledFor === facts.scheduledFor,
  );
  if (isKnown) return false;
  const row = {
    ...facts,
    schedule,
    executionId: start?.id ?? null,
    firedAt,
    no: tables.nextFiring++,
  };
  tables.firings.push(row);
  return true;
}

export function createSchedule(tables: MemoryTables, name: string, set: ScheduleColumns): boolean {
  if (tables.schedules.has(name)) return false;
  const now = tables.now();
  tables.schedules.set(name, {
    ...set,
    name,
    version: 1,
    lastFiredFor: null,
    lastExecutionId: null,
    createdAt: set.createdAt ?? now,
    updatedAt: set.updatedAt ?? now,
    countsFrom: tables.nextFiring,
  });
  return true;
}

/** A change begins a new count of failed executions. */
function isChanged(tables: MemoryTables, row: MemorySchedule, updatedAt = tables.now()): void {
  change(row, { updatedAt, countsFrom: tables.nextFiring });
}

export function changeSchedule(
  tables: MemoryTables,
  name: string,
  version: number,
  set: ScheduleColumns,
  passed: NewFiring | null,
): boolean {
  const row = tables.schedules.get(name);
  if (row?.version !== version) return false;
  change(row, { ...set, createdAt: row.createdAt, version: version + 1 });
  isChanged(tables, row, set.updatedAt);
  if (passed !== null) addFiring(tables, name, passed);
  return true;
}

export function deleteSchedule(tables: MemoryTables, name: string): boolean {
  tables.firings = tables.firings.filter(({ schedule }) => schedule !== name);
  return tables.schedules.delete(name);
}

export function listSchedules(tables: MemoryTables, query: ScheduleQuery): ScheduleRecord[] {
  const { workflow, state, origin, after, limit } = query;
  return [...tables.schedules.values()]
    .filter((row) => workflow === null || row.workflow === workflow)
    .filter((row) => state === null || row.state === state)
    .filter((row) => origin === null || row.origin === origin)
    .filter(({ name }) => after === null || name > after)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map((row) => ({ ...row }));
}

export function mend(
  tables: MemoryTables,
  workflows: readonly string[],
  names: readonly string[] | null,
): MendedSchedules {
  const broken = [...tables.schedules.values()].filter(
    ({ name, state, workflow }) =>
      state === 'broken' && workflows.includes(workflow) && (names?.includes(name) ?? true),
  );
  for (const row of broken) {
    change(row, { state: 'active', reason: null, version: row.version + 1 });
  }
  return { mended: broken.length, locked: [] };
}

export function breakUnknown(
  tables: MemoryTables,
  workflows: readonly string[],
  overdueMs: number,
  error: ScheduleError,
): { name: string; workflow: string }[] {
  const unknown = [...tables.schedules.values()].filter(
    ({ state, nextAt, workflow }) =>
      state === 'active' &&
      nextAt !== null &&
      nextAt <= tables.now() - overdueMs &&
      !workflows.includes(workflow),
  );
  for (const row of unknown) {
    const broken = { state: 'broken', reason: error.message, lastError: error } as const;
    change(row, { ...broken, version: row.version + 1 });
  }
  return unknown.map(({ name, workflow }) => ({ name, workflow }));
}
