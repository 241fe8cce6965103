import { executionOf, type RawRow, type Statement, type TenantTables } from './statement.js';
import type { ExecutionRow, TaskRow } from '../../port/index.js';

// Milliseconds as an integer: exact, and cheaper to read than a timestamp's text in whatever DateStyle.
const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint`;

const EXECUTION = `x.id, x.workflow, x.definition_id, x.status, x.input, x.context, x.error, x.reason,
  ${ms('x.created_at')}, ${ms('x.started_at')}, ${ms('x.completed_at')}`;

export const readExecutions: Statement = {
  name: 'read_executions',
  text: (tables) => `SELECT ${EXECUTION} FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])`,
};

export const readTasks: Statement = {
  name: 'read_tasks',
  text: (tables) => `SELECT t.execution_id, t.task_no, t.status, t.pending_dependencies, t.attempt,
    t.recovery_attempts, t.owner, t.paused::integer, t.failure_handled::integer, ${ms('t.run_at')},
    (t.deferred_since IS NOT NULL)::integer, t.skip_reason, t.output, array_to_json(t.deleted_keys), t.error,
    t.attempts, ${ms('t.started_at')}, ${ms('t.completed_at')},
    CASE WHEN t.status = 'Running' THEN NOT EXISTS (
      SELECT FROM ${tables.lease} l WHERE l.instance_id = t.owner AND l.expires_at > clock_timestamp()) END::integer
  FROM ${tables.task} t WHERE t.execution_id = ANY ($1::uuid[]) ORDER BY t.execution_id, t.task_no`,
};

const BEFORE = `coalesce($3::timestamptz, 'infinity')`;
const AFTER_LAST = `coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')`;

/**
 * The range of the index that a page is in, with one bound at each end: of two at one end an index scan begins at
 * either. What isn't asked for is infinite: a condition that holds when its parameter is NULL would be none of the
 * index's in a generic plan. Either way a page would read all those before it.
 */
const PAGE_RANGE = `e.created_at > coalesce($2::timestamptz, '-infinity')
      AND (e.created_at, e.id) < (
        least(${BEFORE}, ${AFTER_LAST}),
        CASE WHEN ${BEFORE} <= ${AFTER_LAST} THEN '00000000-0000-0000-0000-000000000000' ELSE $4::uuid END)`;

/**
 * A page of executions, newest first. One index (workflow, created_at) serves a page of one workflow and of
 * all: the workflows are few and are merged.
 */
export const listExecutions: Statement = {
  name: 'list_executions',
  text: (tables) => `SELECT ${EXECUTION}, (extract(epoch FROM x.created_at) * 1000000)::bigint
  FROM (SELECT DISTINCT name FROM ${tables.definition} WHERE $1::text IS NULL OR name = $1::text) d
  CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.workflow = d.name
      AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
};

/** The same for statuses other than Completed, which have a partial index of their own: the few among many. */
export const listUnfinished: Statement = {
  name: 'list_unfinished',
  text: (tables) => `SELECT ${EXECUTION}, (extract(epoch FROM x.created_at) * 1000000)::bigint
  FROM unnest($6::text[]) s(status) CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.status = s.status AND e.status <> 'Completed'
      AND ($1::text IS NULL OR e.workflow = $1::text)
      AND ${PAGE_RANGE}
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
};

/** The executions that hold these (workflow, key) pairs. LIMIT, so that each is looked up and nothing is joined. */
export const findByKeys: Statement = {
  name: 'find_by_keys',
  text: (tables: TenantTables) => `SELECT i.ord - 1, x.id
  FROM ROWS FROM (json_array_elements_text($1::json), json_array_elements_text($2::json))
         WITH ORDINALITY AS i(workflow, key, ord)
    CROSS JOIN LATERAL (
      SELECT e.id FROM ${tables.execution} e
      WHERE e.workflow = i.workflow AND e.idempotency_key = i.key AND e.idempotency_key IS NOT NULL LIMIT 1
    ) x`,
};

/**
 * Marks an execution as awaited by another process than the one that will end it; returns its status. Read under the
 * lock: with the status of the snapshot, who comes while the execution ends would wait for a notification that was
 * not sent.
 */
export const awaitExecution: Statement = {
  name: 'await_execution',
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.status, x.has_waiters FROM ${tables.execution} x WHERE x.id = $1::uuid FOR NO KEY UPDATE
  ), marked AS (
    UPDATE ${tables.execution} x SET has_waiters = true FROM found f
    WHERE ${executionOf('f.id')} AND NOT f.has_waiters AND f.status IN ('Pending', 'Running', 'Paused')
  ) SELECT status FROM found`,
};

/** The same for many, in the order of all statements. One that another session has locked is left out. */
export const awaitUnlockedExecutions: Statement = {
  name: 'await_unlocked_executions',
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.status, x.has_waiters FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])
    ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
  ), marked AS (
    UPDATE ${tables.execution} x SET has_waiters = true FROM found f
    WHERE ${executionOf('f.id')} AND NOT f.has_waiters AND f.status IN ('Pending', 'Running', 'Paused')
  ) SELECT id, status FROM found`,
};

/** Written by any process that finds it missing: the value is a function of the tasks' rows, so twice is the same as once. */
export const writeFinalContext: Statement = {
  name: 'write_final_context',
  text: (tables) => `UPDATE ${tables.execution} x SET context = $2::json
  WHERE x.id = $1::uuid AND x.context IS NULL AND x.generation = $3::integer
    AND x.status IN ('Completed', 'Failed')`,
};

const date = (value: string | null | undefined): Date | null =>
  value === null || value === undefined ? null : new Date(Number(value));

export function decodeExecution(row: RawRow): ExecutionRow {
  return {
    id: row[0] ?? '',
    workflow: row[1] ?? '',
    definitionId: row[2] ?? '',
    status: row[3] ?? '',
    input: row[4] ?? '{}',
    context: row[5] ?? null,
    error: row[6] ?? null,
    reason: row[7] ?? null,
    createdAt: date(row[8]) ?? new Date(0),
    startedAt: date(row[9]),
    completedAt: date(row[10]),
  };
}

export function decodeTask(row: RawRow): TaskRow {
  return {
    executionId: row[0] ?? '',
    taskNo: Number(row[1]),
    status: row[2] ?? '',
    pendingDependencies: Number(row[3]),
    attempt: Number(row[4]),
    recoveryAttempts: Number(row[5]),
    owner: row[6] ?? null,
    paused: row[7] === '1',
    failureHandled: row[8] === '1',
    runAt: date(row[9]),
    deferred: row[10] === '1',
    skipReason: row[11] ?? null,
    output: row[12] ?? null,
    deletedKeys: row[13] ? (JSON.parse(row[13]) as string[]) : [],
    error: row[14] ?? null,
    attempts: row[15] ?? null,
    startedAt: date(row[16]),
    completedAt: date(row[17]),
    isOrphaned: row[18] === '1',
  };
}
