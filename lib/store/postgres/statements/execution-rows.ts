import {
  bigint,
  boolean,
  columns,
  epochMs,
  instant,
  integer,
  json,
  jsonb,
  long,
  orNull,
  strings,
  text,
  uuid,
} from './columns.js';
import { executionOf, NO_COLUMNS, type Statement, type TenantTables } from './statement.js';
import type { ExecutionRow, ListedExecution, TaskRow } from '../../port/index.js';

const EXECUTION_COLUMNS = {
  id: uuid,
  workflow: text,
  definitionId: bigint,
  status: text,
  input: json,
  context: orNull(json),
  error: orNull(json),
  reason: orNull(text),
  createdAt: instant,
  startedAt: orNull(instant),
  completedAt: orNull(instant),
} as const;

const EXECUTION_OF_ROW = {
  id: 'x.id',
  workflow: 'x.workflow',
  definitionId: 'x.definition_id',
  status: 'x.status',
  input: 'x.input',
  context: 'x.context',
  error: 'x.error',
  reason: 'x.reason',
  createdAt: epochMs('x.created_at'),
  startedAt: epochMs('x.started_at'),
  completedAt: epochMs('x.completed_at'),
} as const;

const EXECUTION = columns(EXECUTION_COLUMNS);

export const readExecutions: Statement<ExecutionRow> = {
  name: 'read_executions',
  columns: EXECUTION,
  text: (tables) =>
    `SELECT ${EXECUTION.select(EXECUTION_OF_ROW)} FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])`,
};

const TASK = columns({
  executionId: uuid,
  taskNo: integer,
  status: text,
  pendingDependencies: integer,
  attempt: integer,
  recoveryAttempts: integer,
  owner: orNull(uuid),
  paused: boolean,
  failureHandled: boolean,
  runAt: orNull(instant),
  deferred: boolean,
  skipReason: orNull(text),
  output: orNull(json),
  deletedKeys: strings,
  error: orNull(json),
  attempts: orNull(jsonb),
  startedAt: orNull(instant),
  completedAt: orNull(instant),
  isOrphaned: boolean,
});

export const readTasks: Statement<TaskRow> = {
  name: 'read_tasks',
  columns: TASK,
  text: (tables) => `SELECT ${TASK.select({
    executionId: 't.execution_id',
    taskNo: 't.task_no',
    status: 't.status',
    pendingDependencies: 't.pending_dependencies',
    attempt: 't.attempt',
    recoveryAttempts: 't.recovery_attempts',
    owner: 't.owner',
    paused: 't.paused',
    failureHandled: 't.failure_handled',
    runAt: epochMs('t.run_at'),
    deferred: 't.deferred_since IS NOT NULL',
    skipReason: 't.skip_reason',
    output: 't.output',
    deletedKeys: 'array_to_json(t.deleted_keys)',
    error: 't.error',
    attempts: 't.attempts',
    startedAt: epochMs('t.started_at'),
    completedAt: epochMs('t.completed_at'),
    isOrphaned: `CASE WHEN t.status = 'Running' THEN NOT EXISTS (
      SELECT FROM ${tables.lease} l WHERE l.instance_id = t.owner AND l.expires_at > clock_timestamp()) END`,
  })}
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

const LISTED = columns({ ...EXECUTION_COLUMNS, createdAtMicros: bigint });
const LISTED_OF_ROW = LISTED.select({
  ...EXECUTION_OF_ROW,
  createdAtMicros: '(extract(epoch FROM x.created_at) * 1000000)::bigint',
});

/**
 * A page of executions, newest first. One index (workflow, created_at) serves a page of one workflow and of
 * all: the workflows are few and are merged.
 */
export const listExecutions: Statement<ListedExecution> = {
  name: 'list_executions',
  columns: LISTED,
  text: (tables) => `SELECT ${LISTED_OF_ROW}
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
export const listUnfinished: Statement<ListedExecution> = {
  name: 'list_unfinished',
  columns: LISTED,
  text: (tables) => `SELECT ${LISTED_OF_ROW}
  FROM unnest($6::text[]) s(status) CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.status = s.status AND e.status <> 'Completed'
      AND ($1::text IS NULL OR e.workflow = $1::text)
      AND ${PAGE_RANGE}
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
};

const FOUND = columns({ index: long, id: uuid });

/** The executions that hold these (workflow, key) pairs. LIMIT, so that each is looked up and nothing is joined. */
export const findByKeys: Statement<{ index: number; id: string }> = {
  name: 'find_by_keys',
  columns: FOUND,
  text: (tables: TenantTables) => `SELECT ${FOUND.select({ index: 'i.ord - 1', id: 'x.id' })}
  FROM ROWS FROM (json_array_elements_text($1::json), json_array_elements_text($2::json))
         WITH ORDINALITY AS i(workflow, key, ord)
    CROSS JOIN LATERAL (
      SELECT e.id FROM ${tables.execution} e
      WHERE e.workflow = i.workflow AND e.idempotency_key = i.key AND e.idempotency_key IS NOT NULL LIMIT 1
    ) x`,
};

const STATUS = columns({ id: uuid, status: text });

/**
 * Marks an execution as awaited by another process than the one that will end it; returns its status. Read under the
 * lock: with the status of the snapshot, who comes while the execution ends would wait for a notification that was
 * not sent.
 */
export const awaitExecution: Statement<{ id: string; status: string }> = {
  name: 'await_execution',
  columns: STATUS,
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.status, x.has_waiters FROM ${tables.execution} x WHERE x.id = $1::uuid FOR NO KEY UPDATE
  ), marked AS (
    UPDATE ${tables.execution} x SET has_waiters = true FROM found f
    WHERE ${executionOf('f.id')} AND NOT f.has_waiters AND f.status IN ('Pending', 'Running', 'Paused')
  ) SELECT ${STATUS.select({ id: 'id', status: 'status' })} FROM found`,
};

/** The same for many, in the order of all statements. One that another session has locked is left out. */
export const awaitUnlockedExecutions: Statement<{ id: string; status: string }> = {
  name: 'await_unlocked_executions',
  columns: STATUS,
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.status, x.has_waiters FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])
    ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
  ), marked AS (
    UPDATE ${tables.execution} x SET has_waiters = true FROM found f
    WHERE ${executionOf('f.id')} AND NOT f.has_waiters AND f.status IN ('Pending', 'Running', 'Paused')
  ) SELECT ${STATUS.select({ id: 'id', status: 'status' })} FROM found`,
};

/** Written by any process that finds it missing: the value is a function of the tasks' rows, so twice is the same as once. */
export const writeFinalContext: Statement = {
  name: 'write_final_context',
  columns: NO_COLUMNS,
  text: (tables) => `UPDATE ${tables.execution} x SET context = $2::json
  WHERE x.id = $1::uuid AND x.context IS NULL AND x.generation = $3::integer
    AND x.status IN ('Completed', 'Failed')`,
};
