import type {
  DueSchedule,
  FireReply,
  FiringQuery,
  FiringRecord,
  NewFiring,
  ScheduleColumns,
  ScheduleFire,
  ScheduleQuery,
  ScheduleRecord,
} from '../../store/port/index.js';
import { change } from './memory-rows.js';
import { insertScheduled } from './memory-starts.js';
import type { MemoryTables } from './memory-tables.js';

export type MemorySchedule = { -readonly [K in keyof ScheduleRecord]: ScheduleRecord[K] };

export interface MemoryFiring extends FiringRecord {
  readonly schedule: string;
}

export function dueSchedules(
  tables: MemoryTables,
  workflows: readonly string[],
  limit: number,
): DueSchedule[] {
  const now = tables.now();
  return [...tables.schedules.values()]
    .filter(({ state, nextAt }) => state === 'active' && nextAt !== null && nextAt <= now)
    .filter(({ workflow }) => workflows.includes(workflow))
    .sort((a, b) => (a.nextAt ?? 0) - (b.nextAt ?? 0))
    .slice(0, limit)
    .map((row) => ({
      ...row,
      lastStatus: tables.executions.get(row.lastExecutionId ?? '')?.status ?? null,
      now,
    }));
}

export function fire(tables: MemoryTables, schedules: readonly ScheduleFire[]): FireReply {
  let definitionsAreStored = true;
  const fired = schedules.map(({ name, version, firings, ...columns }) => {
    for (const { start } of firings) {
      if (start !== null && !tables.definitions.has(start.plan.definitionId))
        definitionsAreStored = false;
    }
    const row = tables.schedules.get(name);
    if (row?.version !== version) return false;
    change(row, { ...columns, version: version + 1 });
    for (const firing of firings) {
      if (addFiring(tables, name, firing) && firing.start !== null) {
        insertScheduled(tables, firing.start);
      }
    }
    return true;
  });
  return { fired, definitionsAreStored };
}

/** False if the firing is recorded already. */
function addFiring(tables: MemoryTables, schedule: string, firing: NewFiring): boolean {
  const { start, ...facts } = firing;
  const isKnown = tables.firings.some(
    (one) => one.schedule === schedule && one.scheduledFor === facts.scheduledFor,
  );
  if (isKnown) return false;
  const row = { ...facts, schedule, executionId: start?.id ?? null, firedAt: tables.now() };
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
    createdAt: now,
    updatedAt: now,
  });
  return true;
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
  change(row, { ...set, version: version + 1, updatedAt: tables.now() });
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

export function firingsOf(
  tables: MemoryTables,
  { schedule, before, limit }: FiringQuery,
): FiringRecord[] {
  return tables.firings
    .filter((one) => one.schedule === schedule && (before === null || one.scheduledFor < before))
    .sort((a, b) => b.scheduledFor - a.scheduledFor)
    .slice(0, limit)
    .map(({ schedule: _, ...firing }) => firing);
}

export function mend(tables: MemoryTables, workflows: readonly string[]): number {
  const broken = [...tables.schedules.values()].filter(
    ({ state, workflow }) => state === 'broken' && workflows.includes(workflow),
  );
  for (const row of broken) {
    change(row, { state: 'active', reason: null, version: row.version + 1 });
  }
  return broken.length;
}

export function breakUnknown(
  tables: MemoryTables,
  workflows: readonly string[],
  overdueMs: number,
  reason: string,
): { name: string; workflow: string }[] {
  const unknown = [...tables.schedules.values()].filter(
    ({ state, nextAt, workflow }) =>
      state === 'active' &&
      nextAt !== null &&
      nextAt <= tables.now() - overdueMs &&
      !workflows.includes(workflow),
  );
  for (const row of unknown) change(row, { state: 'broken', reason, version: row.version + 1 });
  return unknown.map(({ name, workflow }) => ({ name, workflow }));
}
