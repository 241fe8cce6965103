import { recordActions } from './actions.js';
import {
  boolean,
  columns,
  epochMs,
  integer,
  json,
  long,
  orNull,
  parsed,
  text,
  uuid,
} from './columns.js';
import { timeText } from './fire-schedules.js';
import { NO_COLUMNS, type Statement, type TenantTables } from './statement.js';
import type {
  DueSchedule,
  NewFiring,
  ScheduleColumns,
  ScheduleError,
  ScheduleOrigin,
  ScheduleQuery,
  ScheduleRecord,
  ScheduleState,
} from '../../port/index.js';

const COLUMNS = {
  name: text,
  workflow: text,
  spec: json,
  input: orNull(json),
  origin: text as typeof text & { decode: (value: string | null) => ScheduleOrigin },
  state: text as typeof text & { decode: (value: string | null) => ScheduleState },
  reason: orNull(text),
  version: integer,
  nextFor: orNull(long),
  nextAt: orNull(long),
  lastFiredFor: orNull(long),
  lastExecutionId: orNull(uuid),
  lastError: parsed<ScheduleError | null>(null),
  createdAt: long,
  updatedAt: long,
};
const SCHEDULE = columns(COLUMNS);
const DUE = columns({ ...COLUMNS, lastStatus: orNull(text), hasFailed: boolean, now: long });

/** The columns of schedule `c`. */
const EXPRESSIONS = {
  name: 'c.name',
  workflow: 'c.workflow',
  spec: 'c.spec',
  input: 'c.input',
  origin: 'c.origin',
  state: 'c.state',
  reason: 'c.reason',
  version: 'c.version',
  nextFor: epochMs('c.next_for'),
  nextAt: epochMs('c.next_at'),
  lastFiredFor: epochMs('c.last_fired_for'),
  lastExecutionId: 'c.last_execution_id',
  lastError: 'c.last_error',
  createdAt: epochMs('c.created_at'),
  updatedAt: epochMs('c.updated_at'),
};

/** Number of latest firings among which the failed executions are looked for. Skipped firings count too. */
const MAX_LOOK_BACK = 1_000;

/**
 * Whether the last ended executions of schedule `c` have all failed, as many as its spec allows. They are counted in the
 * executions and not by the firings, because executions may overlap and end in any order. The firing of a deleted execution
 * says how it ended. A change of the schedule begins a new count.
 */
function hasFailed({ execution, scheduleFiring }: TenantTables): string {
  const allowed = "(c.spec ->> 'pauseAfterFailures')::integer";
  return `CASE WHEN ${allowed} IS NULL THEN false ELSE coalesce((
    SELECT count(*) = ${allowed} AND bool_and(y.status = 'Failed') FROM (
      SELECT coalesce(x.status, f.ended) AS status FROM (
        SELECT f.scheduled_for, f.execution_id, f.ended, f.fired_at, f.outcome FROM ${scheduleFiring} f
        WHERE f.schedule = c.name ORDER BY f.scheduled_for DESC LIMIT ${MAX_LOOK_BACK}
      ) f LEFT JOIN ${execution} x ON x.id = f.execution_id
      WHERE coalesce(x.status, f.ended) IN ('Completed', 'Failed') AND f.outcome <> 'backfilled' AND f.fired_at > c.updated_at
      ORDER BY f.scheduled_for DESC LIMIT ${allowed}
    ) y), false) END`;
}

/** Reads due schedules, with the status of their last executions, which decides about overlaps. */
export const readDueSchedules: Statement<DueSchedule> = {
  name: 'read_due_schedules',
  columns: DUE,
  text: (tables) => `SELECT ${DUE.select({
    ...EXPRESSIONS,
    lastStatus: `(SELECT x.status FROM ${tables.execution} x WHERE x.id = c.last_execution_id)`,
    hasFailed: hasFailed(tables),
    now: epochMs(tables.clock.now),
  })}
  FROM ${tables.schedule} c
  WHERE c.state = 'active' AND c.next_at <= ${tables.clock.now}
    AND c.workflow IN (SELECT json_array_elements_text($1::json))
    AND c.name NOT IN (SELECT json_array_elements_text($3::json))
  ORDER BY c.next_at LIMIT $2`,
};

const NOW = columns({ now: long });

export const readScheduleTime: Statement<{ now: number }> = {
  name: 'read_schedule_time',
  columns: NOW,
  text: ({ clock }) => `SELECT ${NOW.select({ now: epochMs(clock.now) })}`,
};

export const readSchedule: Statement<ScheduleRecord> = {
  name: 'read_schedule',
  columns: SCHEDULE,
  text: (tables) =>
    `SELECT ${SCHEDULE.select(EXPRESSIONS)} FROM ${tables.schedule} c WHERE c.name = $1`,
};

export const listSchedules: Statement<ScheduleRecord> = {
  name: 'list_schedules',
  columns: SCHEDULE,
  text: (tables) => `SELECT ${SCHEDULE.select(EXPRESSIONS)} FROM ${tables.schedule} c
  WHERE ($1::text IS NULL OR c.workflow = $1) AND ($2::text IS NULL OR c.state = $2)
    AND ($3::text IS NULL OR c.origin = $3) AND c.name > coalesce($4::text, '')
  ORDER BY c.name LIMIT $5`,
};

export function listValues(query: ScheduleQuery): unknown[] {
  return [query.workflow, query.state, query.origin, query.after, query.limit];
}

const NAMED = columns({ name: text });

export const createSchedule: Statement<{ name: string }> = {
  name: 'create_schedule',
  columns: NAMED,
  text: (tables) => `WITH created AS (
    INSERT INTO ${tables.schedule}
      (name, workflow, spec, input, origin, state, reason, next_for, next_at, last_error, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11::timestamptz, ${tables.clock.now}),
            coalesce($16::timestamptz, ${tables.clock.now}))
    ON CONFLICT DO NOTHING
    RETURNING name AS subject
  ), ${recordActions(tables, 'created', { kind: '$12', actor: '$13', reason: '$14', callId: '$15' })}
  SELECT ${NAMED.select({ name: 'subject' })} FROM created`,
};

/** Compares the version under the lock of the row, and records the firings that the change passes over. */
export const changeSchedule: Statement<{ name: string }> = {
  name: 'change_schedule',
  columns: NAMED,
  text: (tables) => `WITH changed AS (
    UPDATE ${tables.schedule}
    SET workflow = $2, spec = $3, input = $4, origin = $5, state = $6, reason = $7, next_for = $8, next_at = $9,
        last_error = $10, version = version + 1, updated_at = coalesce($20::timestamptz, ${tables.clock.now})
    WHERE name = $1 AND version = $11
    RETURNING name, name AS subject
  ), passed AS (
    INSERT INTO ${tables.scheduleFiring} (schedule, scheduled_for, outcome, until, count, fired_at)
    SELECT name, $12::timestamptz, $13::text, $14::timestamptz, $15::integer, ${tables.clock.now} FROM changed
    WHERE $12::timestamptz IS NOT NULL
    ON CONFLICT DO NOTHING
  ), ${recordActions(tables, 'changed', { kind: '$16', actor: '$17', reason: '$18', callId: '$19' })}
  SELECT ${NAMED.select({ name: 'name' })} FROM changed`,
};

export function scheduleValues(name: string, set: ScheduleColumns): unknown[] {
  return [
    name,
    set.workflow,
    set.spec,
    set.input,
    set.origin,
    set.state,
    set.reason,
    timeText(set.nextFor),
    timeText(set.nextAt),
    set.lastError === null ? null : JSON.stringify(set.lastError),
  ];
}

export function passedValues(passed: NewFiring | null): unknown[] {
  if (passed === null) return [null, null, null, null];
  return [timeText(passed.scheduledFor), passed.outcome, timeText(passed.until), passed.count];
}

/** The row first: a firing that holds it ends before, and one that comes later finds no row. */
export const deleteSchedule: Statement<{ name: string }> = {
  name: 'delete_schedule',
  columns: NAMED,
  text: (tables) => `WITH deleted AS (
    DELETE FROM ${tables.schedule} WHERE name = $1 RETURNING name AS subject
  ), ${recordActions(tables, 'deleted', { kind: '$2', actor: '$3', reason: '$4', callId: '$5' })}
  SELECT ${NAMED.select({ name: 'subject' })} FROM deleted`,
};

/** Sent after {@link deleteSchedule}, so that it sees the firings that the deletion waited for. */
export const deleteFirings: Statement = {
  name: 'delete_firings',
  columns: NO_COLUMNS,
  text: (tables) => `DELETE FROM ${tables.scheduleFiring} f WHERE f.schedule = $1
    AND NOT EXISTS (SELECT FROM ${tables.schedule} c WHERE c.name = $1)`,
};

const MENDED = columns({ name: text, isMended: boolean });

/** Skips locked rows: a transaction of the application that holds one would keep all schedules from firing. */
export const mendSchedules: Statement<{ name: string; isMended: boolean }> = {
  name: 'mend_schedules',
  columns: MENDED,
  text: (tables) => {
    const isBroken = `state = 'broken' AND workflow IN (SELECT json_array_elements_text($1::json))
      AND ($2::json IS NULL OR name IN (SELECT json_array_elements_text($2::json)))`;
    return `WITH free AS MATERIALIZED (
    SELECT name FROM ${tables.schedule} WHERE ${isBroken} FOR NO KEY UPDATE SKIP LOCKED
  ), mended AS (
    UPDATE ${tables.schedule} c
    SET state = 'active', reason = NULL, version = version + 1, updated_at = ${tables.clock.now}
    FROM free WHERE c.name = free.name
    RETURNING c.name
  ) SELECT ${MENDED.select({ name: 'b.name', isMended: 'mended.name IS NOT NULL' })}
  FROM (SELECT name FROM ${tables.schedule} WHERE ${isBroken}) b LEFT JOIN mended ON mended.name = b.name`;
  },
};

const BROKEN = columns({ name: text, workflow: text });

/** Skips locked rows. The next look, a minute later, finds those that are still overdue. */
export const breakUnknownSchedules: Statement<{ name: string; workflow: string }> = {
  name: 'break_unknown_schedules',
  columns: BROKEN,
  text: (tables: TenantTables) => `UPDATE ${tables.schedule}
  SET state = 'broken', reason = $3::json ->> 'message', last_error = $3::json, version = version + 1, updated_at = ${tables.clock.now}
  WHERE name IN (
    SELECT name FROM ${tables.schedule}
    WHERE state = 'active' AND next_at <= ${tables.clock.now} - $2 * interval '1 millisecond'
      AND workflow NOT IN (SELECT json_array_elements_text($1::json))
    FOR NO KEY UPDATE SKIP LOCKED)
  RETURNING ${BROKEN.select({ name: 'name', workflow: 'workflow' })}`,
};
