import { unsettledBy } from './admission-slots.js';
import { bigint, columns, integer, long, parsed, text, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import { resetSteps } from './reset-steps.js';
import { executionOf, lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  END_CHILDREN,
  TELL_PARENTS,
  type ExecutionReset,
  type LockedExecution,
} from '../../port/index.js';

/** The columns of an execution that a manual retry has locked. */
export const LOCKED_COLUMNS = {
  definitionId: bigint,
  status: text,
  generation: integer,
  unsettled: integer,
  tasks: parsed<LockedExecution['tasks']>([]),
} as const;
const LOCKED = columns(LOCKED_COLUMNS);

/** A row of {@link LockedExecution.tasks}. */
export const LOCKED_TASK =
  "json_build_object('taskNo', task_no, 'status', status, 'skipReason', skip_reason)";

/** Locks an ended execution's tasks, then the execution. The caller decides on the returned rows what to reset. */
export const lockForReset: Statement<LockedExecution> = {
  name: 'lock_for_reset',
  columns: LOCKED,
  text: (tables) => `WITH task AS MATERIALIZED (
    SELECT t.task_no, t.item_no, t.status, t.skip_reason FROM ${tables.task} t
    WHERE t.execution_id = $1::uuid ORDER BY ${lockOrder('t.')} FOR UPDATE
  )
  SELECT ${LOCKED.select({
    definitionId: 'x.definition_id',
    status: 'x.status',
    generation: 'x.generation',
    unsettled: 'x.unsettled::integer',
    tasks: `(SELECT json_agg(${LOCKED_TASK} ORDER BY task_no) FROM task WHERE item_no = 0)`,
  })}
  FROM ${tables.execution} x WHERE x.id = $1::uuid FOR UPDATE`,
};

/** The event of an execution: which tasks are reset, and how it had ended. */
function retriedEvents({ execution }: TenantTables): string {
  return `SELECT x.id, NULL, NULL, 'executionRetried', jsonb_build_object(
               'tasks', n.tasks, 'taskNos', n.task_nos,
               'status', x.status, 'reason', x.reason, 'error', x.error::jsonb, 'completedAt', x.completed_at)
               || CASE WHEN a.actor IS NULL THEN '{}' ELSE jsonb_build_object('actor', a.actor) END
      FROM (
        SELECT execution_id, count(*) AS tasks, jsonb_agg(task_no ORDER BY task_no) AS task_nos FROM item GROUP BY 1
      ) n JOIN unnest($6::uuid[], $8::text[]) a(id, actor) ON a.id = n.execution_id
      JOIN ${execution} x ON ${executionOf('n.execution_id')}`;
}

const RESET = columns({ id: uuid, dueInMs: long });

/**
 * Resets tasks to their initial state with new retry and recovery budgets (only `wakes` stays, because it never decreases),
 * and their executions to Running. An execution that never began becomes Pending and keeps its `run_at`. Former outcomes are
 * stored as events, in the order of the tasks, and then the retry itself. Returns in how many milliseconds each execution is due.
 *
 * A task that keeps its steps waits again for the children that did not complete. A step with `retryFrom` tells its next
 * run to retry the child, from this generation on, so a process that dies in between retries no child twice. The end of
 * the execution is to be passed on again, even if it has no parent: a task that is attached to it by its key, and is retried
 * after it, waits for it without a mark of its own.
 *
 * An execution with an admission asks for a slot again, as a start of this moment does: its tasks are not due before. Its next
 * end passes the slot on, as the first one did.
 *
 * Runs in the transaction with the locks of {@link lockForReset} or `lockForResets`.
 */
export const resetExecutions: Statement<{ id: string; dueInMs: number }> = {
  name: 'reset_executions',
  columns: RESET,
  text: (tables) => `WITH item AS MATERIALIZED (
    SELECT i.*, 0 AS item_no
    FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::boolean[])
      AS i(execution_id, task_no, pending, unmet, keeps_steps)
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, task_no, item_no, kind, detail)
    SELECT * FROM (
      SELECT t.execution_id, t.task_no, t.item_no, 'reset', jsonb_build_object(
               'status', t.status, 'skipReason', t.skip_reason, 'attempts', t.attempts, 'error', t.error::jsonb,
               'startedAt', t.started_at, 'completedAt', t.completed_at)
      FROM item i JOIN ${tables.task} t ON ${taskOf('i')}
      UNION ALL
      ${retriedEvents(tables)}
    ) e ORDER BY e.execution_id, e.task_no
  ), task AS (
    UPDATE ${tables.task} t
    SET status = CASE WHEN i.pending = 0 THEN 'Ready' ELSE 'NotStarted' END,
        run_at = CASE WHEN i.pending = 0
          THEN (SELECT CASE WHEN x.admission_key IS NULL THEN greatest(${tables.clock.now}, x.run_at) END
                FROM ${tables.execution} x WHERE x.id = i.execution_id) END,
        pending_dependencies = i.pending, unmet_dependencies = i.unmet, generation = t.generation + 1,
        has_steps = t.has_steps AND i.keeps_steps, paused = false, failure_handled = false, attempt = 0, attempts = NULL, recovery_attempts = 0, skip_reason = NULL,
        output = NULL, deleted_keys = NULL, error = NULL, deferred_since = NULL, started_at = NULL,
        completed_at = NULL, owner = NULL
    FROM item i WHERE ${taskOf('i')}
  ), ${resetSteps(tables, 'item')}
  UPDATE ${tables.execution} x
  SET status = CASE WHEN x.started_at IS NULL THEN 'Pending' ELSE 'Running' END, context = NULL, error = NULL, reason = NULL, completed_at = NULL, has_waiters = false,
      generation = x.generation + 1, admitted = false,
      run_at = CASE WHEN x.admission_key IS NULL THEN x.run_at ELSE greatest(${tables.clock.now}, x.run_at) END,
      remaining_leaves = e.leaves, unhandled_failures = 0,
      unsettled = x.unsettled | ${TELL_PARENTS} | ${unsettledBy('x.admission_key')}
        | CASE WHEN EXISTS (SELECT FROM ${tables.execution} c WHERE c.parent_execution_id = x.id) THEN ${END_CHILDREN} ELSE 0 END,
      deadline_at = CASE WHEN x.started_at IS NOT NULL
        THEN ${tables.clock.now} + x.timeout_ms * interval '1 millisecond' END
  FROM unnest($6::uuid[], $7::integer[]) AS e(id, leaves)
  WHERE ${executionOf('e.id')}
  RETURNING ${RESET.select({ id: 'x.id', dueInMs: `coalesce(extract(epoch FROM x.run_at - ${tables.clock.now}) * 1000, 0)::bigint` })}`,
};

export function resetValues(resets: readonly ExecutionReset[]): unknown[] {
  const items = resets.flatMap(({ id, tasks }) => tasks.map((task) => ({ id, ...task })));
  return [
    plainArray(items.map(({ id }) => id)),
    plainArray(items.map((task) => task.taskNo)),
    plainArray(items.map((task) => task.pendingDependencies)),
    plainArray(items.map((task) => task.unmetDependencies)),
    plainArray(items.map((task) => task.keepsSteps)),
    plainArray(resets.map(({ id }) => id)),
    plainArray(resets.map(({ leaves }) => leaves)),
    resets.map(({ actor }) => actor ?? null),
  ];
}
