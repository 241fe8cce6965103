import { lockOrder, taskOf, type TenantTables } from './statement.js';

/** Parts of the statements that change all open tasks of an execution, and then the execution. */

/** Maximum number of task rows that a statement changes if it ends more than one execution. */
export const MAX_TASKS = 5_000;

/** A condition: task `t` has not ended. */
export const IS_OPEN = `t.status IN ('NotStarted', 'Ready', 'Running', 'Waiting')`;

/** Counts the claims of task `t` and the items that it has stored. A number that grows with both. */
const CHANGES = '(t.claim_token + abs(coalesce(t.item_count, 0)))';

/** The number of open tasks of the execution with this id, as `open`, and the sum of their changes, as `changes`. */
export function countOpenTasks(tables: TenantTables, id: string): string {
  return `SELECT count(*) AS open, sum(${CHANGES}) AS changes FROM ${tables.task} t WHERE t.execution_id = ${id} AND ${IS_OPEN}`;
}

/** Locks the open tasks of execution `$1`, after a wait if necessary, as `locked`. */
export function lockTasks(tables: TenantTables): string {
  return `locked AS MATERIALIZED (
    SELECT t.execution_id, t.task_no, t.item_no, t.status FROM ${tables.task} t
    WHERE t.execution_id = $1::uuid AND ${IS_OPEN}
    ORDER BY ${lockOrder('t.')} FOR NO KEY UPDATE
  )`;
}

/**
 * Locks executions with all their open tasks, as `ending`, and these tasks as `locked`.
 *
 * **No waits.** Rows that others have locked are skipped, so a locked execution delays only itself, and deadlocks are
 * impossible. An execution is in `ending` if all its open tasks and then its own row could be locked. This is known before
 * the first row changes, so nothing has to be rolled back. The caller finds skipped executions again.
 *
 * **Changes since the snapshot.** Open tasks are counted in the statement's snapshot and locked in their current state. If
 * their number or the sum of their changes differs, another statement has changed them in between: it may have ended one, or
 * added items to one, which the snapshot does not show. Then the execution is skipped.
 *
 * @param executions - the rows to lock, sorted by `id`, with `open` and `changes` of {@link countOpenTasks}
 * @param stillEnds - a condition that the locked row of execution `x` has to meet
 */
export function lockExecutions(
  tables: TenantTables,
  executions: string,
  stillEnds: string,
): string {
  return `all_tasks AS MATERIALIZED (
    SELECT i.*, l.task_nos, l.item_nos, l.statuses, l.changes AS locked_changes
    FROM ${executions} i CROSS JOIN LATERAL (
      SELECT array_agg(task_no) AS task_nos, array_agg(item_no) AS item_nos, array_agg(status) AS statuses,
             sum(changes) AS changes
      FROM (
        SELECT t.task_no, t.item_no, t.status, ${CHANGES} AS changes FROM ${tables.task} t
        WHERE t.execution_id = i.id AND ${IS_OPEN}
        ORDER BY ${lockOrder('t.')} FOR NO KEY UPDATE SKIP LOCKED
      ) t
    ) l
  ), ending AS MATERIALIZED (
    SELECT a.* FROM all_tasks a CROSS JOIN LATERAL (
      SELECT FROM ${tables.execution} x
      WHERE x.id = a.id AND ${stillEnds}
      FOR NO KEY UPDATE SKIP LOCKED
    ) x
    WHERE coalesce(cardinality(a.task_nos), 0) = a.open AND a.locked_changes IS NOT DISTINCT FROM a.changes
  ), locked AS MATERIALIZED (
    SELECT e.id AS execution_id, u.task_no, u.item_no, u.status
    FROM ending e CROSS JOIN LATERAL unnest(e.task_nos, e.item_nos, e.statuses) AS u(task_no, item_no, status)
  )`;
}

/**
 * Cancels the rows in `locked`, whether unstarted or Running, and returns their former status. Tokens of Running tasks
 * increase, so late outcomes are rejected. A task that waits for its next attempt loses the start time of its last one,
 * which is over. A suspended one is still in its attempt.
 *
 * @param condition - what else has to hold. Default: nothing
 */
export function cancelTasks(tables: TenantTables, condition = ''): string {
  return `cancelled AS (
    UPDATE ${tables.task} t
    SET status = 'Cancelled', claim_token = t.claim_token + (t.status = 'Running')::integer, owner = NULL,
        run_at = NULL, paused = false, completed_at = ${tables.clock.now},
        started_at = CASE WHEN l.status IN ('Running', 'Waiting') THEN t.started_at END
    FROM locked l WHERE ${taskOf('l')}${condition === '' ? '' : ` AND ${condition}`}
    RETURNING t.task_no, l.status AS was
  )`;
}
