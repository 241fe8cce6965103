import { WAITS_FOR_TURN } from './admission-slots.js';
import {
  bigint,
  columns,
  epochMs,
  instant,
  json,
  jsonb,
  long,
  orNull,
  text,
  uuid,
  type Column,
} from './columns.js';
import { executionOf, NO_COLUMNS, type Statement, type TenantTables } from './statement.js';
import type { ExecutionRow, OpenWait, WaitingTurn } from '../../port/index.js';

export const waitingTurn: Column<WaitingTurn | null> = {
  type: 'json',
  decode: (value) => {
    if (value === null) return null;
    const { key, at } = JSON.parse(value) as { readonly key: string; readonly at: number };
    return { key, at: new Date(at) };
  },
};

const EXECUTION = columns({
  id: uuid,
  workflow: text,
  definitionId: bigint,
  status: text,
  input: json,
  context: orNull(json),
  error: orNull(json),
  reason: orNull(text),
  idempotencyKey: orNull(text),
  tags: orNull(jsonb),
  createdAt: instant,
  startedAt: orNull(instant),
  completedAt: orNull(instant),
  parentId: orNull(uuid),
  parentStep: orNull(text),
  rootId: orNull(uuid),
  startBefore: orNull(instant),
  turn: waitingTurn,
});

/** Until when execution `x` must begin. NULL once it has begun. */
export const START_BEFORE = `CASE WHEN x.started_at IS NULL THEN ${epochMs('x.deadline_at')} END`;

/** The slot that execution `x` waits for. */
export const TURN = `CASE WHEN ${WAITS_FOR_TURN} THEN json_build_object('key', x.admission_key, 'at', ${epochMs('x.run_at')}) END`;

/** The columns of execution `x`. */
export const EXECUTION_OF_ROW = {
  id: 'x.id',
  workflow: 'x.workflow',
  definitionId: 'x.definition_id',
  status: 'x.status',
  input: 'x.input',
  context: 'x.context',
  error: 'x.error',
  reason: 'x.reason',
  idempotencyKey: 'x.idempotency_key',
  tags: 'x.tags',
  createdAt: epochMs('x.created_at'),
  startedAt: epochMs('x.started_at'),
  completedAt: epochMs('x.completed_at'),
  parentId: 'x.parent_execution_id',
  parentStep: 'x.parent_step',
  rootId: 'x.root_execution_id',
  startBefore: START_BEFORE,
  turn: TURN,
} as const;

export const readExecutions: Statement<ExecutionRow> = {
  name: 'read_executions',
  columns: EXECUTION,
  text: (tables) =>
    `SELECT ${EXECUTION.select(EXECUTION_OF_ROW)} FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])`,
};

/** A wait in the JSON that statements build. */
export interface WaitJson extends Omit<OpenWait, 'since' | 'until'> {
  readonly since: number;
  readonly until: number | null;
}

export function waitOf(wait: WaitJson | null): OpenWait | null {
  if (wait === null) return null;
  const { since, until } = wait;
  return { ...wait, since: new Date(since), until: until === null ? null : new Date(until) };
}

export const openWait: Column<OpenWait | null> = {
  type: 'json',
  decode: (value) => waitOf(value === null ? null : (JSON.parse(value) as WaitJson)),
};

/**
 * Selects the first open wait of task `t`, by the key of the steps, if the task is Waiting. A wait that is due first comes
 * first. The checkpoints of the messages of one wait are left out: the wait has one of its own.
 */
export function openWaitOf({ step }: TenantTables): string {
  return `CASE WHEN t.status = 'Waiting' THEN (
      SELECT json_build_object('name', s.name, 'kind', s.kind, 'since', ${epochMs('s.started_at')},
        'until', ${epochMs('s.due_at')}, 'eventName', s.event_name, 'childId', s.child_id)
      FROM ${step} s
      WHERE s.execution_id = t.execution_id AND s.task_no = t.task_no AND s.item_no = t.item_no AND s.status = 'Open'
        AND strpos(s.name, '##') = 0
      ORDER BY s.due_at, s.started_at, s.name LIMIT 1) END`;
}

/** A condition: task `t` is Running and its owner has no valid lease. */
export function isOrphaned(tables: TenantTables): string {
  return `t.status = 'Running' AND NOT EXISTS (
      SELECT FROM ${tables.lease} l WHERE l.instance_id = t.owner AND l.expires_at > ${tables.clock.now})`;
}

const FOUND = columns({ index: long, id: uuid });

/**
 * The executions with these (workflow, key) pairs. LIMIT forces one look-up per pair instead of a join.
 *
 * @param kept - whether deleted executions count whose keys are kept
 */
function findText({ execution, keptKey, clock }: TenantTables, kept: boolean): string {
  const found = `SELECT e.id FROM ${execution} e
      WHERE e.workflow = i.workflow AND e.idempotency_key = i.key AND e.idempotency_key IS NOT NULL LIMIT 1`;
  const deleted = `SELECT k.execution_id FROM ${keptKey} k
      WHERE k.workflow = i.workflow AND k.idempotency_key = i.key AND k.expires_at > ${clock.statement} LIMIT 1`;
  return `SELECT ${FOUND.select({ index: 'i.ord - 1', id: 'x.id' })}
  FROM ROWS FROM (json_array_elements_text($1::json), json_array_elements_text($2::json))
         WITH ORDINALITY AS i(workflow, key, ord)
    CROSS JOIN LATERAL (
      ${kept ? `SELECT u.id FROM ((${found}) UNION ALL (${deleted})) u LIMIT 1` : found}
    ) x`;
}

export const findByKeys: Statement<{ index: number; id: string }> = {
  name: 'find_by_keys',
  columns: FOUND,
  text: (tables) => findText(tables, false),
};

export const findByKeptKeys: Statement<{ index: number; id: string }> = {
  name: 'find_by_kept_keys',
  columns: FOUND,
  text: (tables) => findText(tables, true),
};

const STATUS = columns({ id: uuid, status: text });

export const readStatuses: Statement<{ id: string; status: string }> = {
  name: 'read_statuses',
  columns: STATUS,
  text: (tables) =>
    `SELECT ${STATUS.select({ id: 'x.id', status: 'x.status' })} FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])`,
};

/**
 * Notes that a process other than the one that ends the execution waits for its end, and returns its status. The status is
 * read under the row lock. With the status of the snapshot, a caller could wait forever: an execution that ended before
 * the lock was taken sends no notification.
 */
export const awaitExecution: Statement<{ id: string; status: string }> = {
  name: 'await_execution',
  columns: STATUS,
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.status, x.has_waiters FROM ${tables.execution} x WHERE x.id = $1::uuid FOR NO KEY UPDATE
  ), marked AS (
    UPDATE ${tables.execution} x SET has_waiters = true FROM found f
    WHERE ${executionOf('f.id')} AND NOT f.has_waiters AND f.status IN ('Pending', 'Running', 'Paused', 'Finishing')
  ) SELECT ${STATUS.select({ id: 'id', status: 'status' })} FROM found`,
};

/** The same for many executions, in the lock order. It skips executions that another session has locked. */
export const awaitUnlockedExecutions: Statement<{ id: string; status: string }> = {
  name: 'await_unlocked_executions',
  columns: STATUS,
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.status, x.has_waiters FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])
    ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
  ), marked AS (
    UPDATE ${tables.execution} x SET has_waiters = true FROM found f
    WHERE ${executionOf('f.id')} AND NOT f.has_waiters AND f.status IN ('Pending', 'Running', 'Paused', 'Finishing')
  ) SELECT ${STATUS.select({ id: 'id', status: 'status' })} FROM found`,
};

/** Stores the final context. Any process may do it, repeatedly: the value depends only on the tasks' rows. */
export const writeFinalContext: Statement = {
  name: 'write_final_context',
  columns: NO_COLUMNS,
  text: (tables) => `UPDATE ${tables.execution} x SET context = $2::json
  WHERE x.id = $1::uuid AND x.context IS NULL AND x.generation = $3::integer
    AND x.status IN ('Completed', 'Failed')`,
};
