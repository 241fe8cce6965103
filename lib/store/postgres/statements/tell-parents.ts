import { boolean, columns, integer, uuid } from './columns.js';
import { executionOf, lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import { CHILD_EVENT, TELL_PARENTS, type WokenTask } from '../../port/index.js';

const WOKEN = columns({ executionId: uuid, taskNo: integer, itemNo: integer, isDue: boolean });

/** The columns of an ended execution `x` that a waiting step gets: its status, and why it did not complete. */
function endOf(tables: TenantTables): string {
  return `x.id, x.status, x.workflow, x.generation, x.reason,
           CASE WHEN x.error IS NULL AND x.status = 'Failed' THEN (
             SELECT t.error FROM ${tables.task} t
             WHERE t.execution_id = x.id AND t.status = 'Failed' AND NOT t.failure_handled
             ORDER BY t.task_no, t.item_no LIMIT 1)
           ELSE x.error END AS error`;
}

/**
 * The CTEs that end open steps and wake their tasks. `waiting` must have a row for each step: its key, and `status`,
 * `result` and `error` of the end.
 *
 * Tasks come before their steps in the lock order. A Waiting task decides by its own row: `pending_dependencies` is the
 * number of children that it still waits for, if it wants to be woken by the last one only, and otherwise 0. So no count of
 * steps is needed, which a statement at the same time would make wrong. The end of a child is progress, as a recorded step
 * is, so the failed attempts before it no longer count.
 */
function tellClauses(tables: TenantTables): string {
  const waits = `t.status || '' = 'Waiting'`;
  return `item AS MATERIALIZED (
    SELECT execution_id, task_no, item_no, count(*)::integer AS n FROM waiting
    GROUP BY 1, 2, 3 ORDER BY ${lockOrder('')}
  ), woken AS (
    UPDATE ${tables.task} t
    SET wakes = t.wakes + w.n,
        pending_dependencies = CASE WHEN ${waits} THEN greatest(0, t.pending_dependencies - w.n)
                                    ELSE t.pending_dependencies END,
        attempt = CASE WHEN ${waits} THEN 0 ELSE t.attempt END,
        run_at = CASE WHEN ${waits} AND t.pending_dependencies <= w.n THEN ${tables.clock.now} ELSE t.run_at END
    FROM item w
    WHERE ${taskOf('w')} AND t.completed_at IS NULL
    RETURNING t.execution_id, t.task_no, t.item_no,
              t.status = 'Waiting' AND t.pending_dependencies = 0 AND NOT t.paused AS is_due
  ), step AS (
    UPDATE ${tables.step} s
    SET status = w.status, result = w.result, error = w.error, completed_at = ${tables.clock.now}
    FROM waiting w
    WHERE s.execution_id = ANY (ARRAY[w.execution_id]) AND s.task_no = w.task_no AND s.item_no = w.item_no
      AND s.name = w.name AND s.status || '' = 'Open' AND (SELECT count(*) FROM woken) >= 0
    RETURNING s.name
  )`;
}

function wokenBy(cte: string): string {
  return WOKEN.select({
    executionId: `${cte}.execution_id`,
    taskNo: `${cte}.task_no`,
    itemNo: `${cte}.item_no`,
    isDue: `${cte}.is_due`,
  });
}

/**
 * Tells the tasks that wait for executions that these have ended.
 *
 * It runs after the end, in a statement of its own: the statement that ends a child has locked executions already when the
 * parent's task would come. Every end that is missed has its row in the index of unsettled ends, because all that puts a
 * row there is that it has ended.
 *
 * The ends are read from the snapshot. An end is final within a generation, so the bit is cleared only if the row is still
 * that of the generation that was read: an execution that was retried in between tells its next end.
 *
 * With OFFSET 0, the look-up of a child's steps stays a subquery, as in `deliver_messages`: as a join, a plan reads all open
 * waits for children of the tenant, for each batch of ends.
 *
 * A step with `retryFrom` belongs to a retry of the parent, which runs the child again. It does not take the former end.
 */
export const tellParents: Statement<WokenTask> = {
  name: 'tell_parents',
  columns: WOKEN,
  text: (tables: TenantTables) => `WITH ended AS MATERIALIZED (
    SELECT e.* FROM unnest($1::uuid[]) AS i(id) CROSS JOIN LATERAL (
      SELECT ${endOf(tables)} FROM ${tables.execution} x
      WHERE ${executionOf('i.id')} AND x.completed_at IS NOT NULL
        AND ($2::boolean OR x.unsettled & ${TELL_PARENTS} = ${TELL_PARENTS})
    ) e
  ), waiting AS MATERIALIZED (
    SELECT s.execution_id, s.task_no, s.item_no, s.name,
           CASE WHEN e.status = 'Completed' THEN 'Done' ELSE 'Failed' END AS status,
           CASE WHEN e.status <> 'Completed' THEN json_build_object(
             'status', e.status, 'workflow', e.workflow, 'reason', e.reason, 'error', e.error) END AS result,
           CASE WHEN e.status <> 'Completed' THEN e.error END AS error
    FROM ended e CROSS JOIN LATERAL (
      SELECT s.execution_id, s.task_no, s.item_no, s.name FROM ${tables.step} s
      WHERE s.event_name = '${CHILD_EVENT}' AND s.event_name IS NOT NULL AND s.event_key = e.id::text
        AND s.status = 'Open' AND coalesce((s.result ->> 'retryFrom')::integer < e.generation, true)
      OFFSET 0
    ) s
  ), ${tellClauses(tables)}, told AS (
    UPDATE ${tables.execution} x SET unsettled = x.unsettled & ~${TELL_PARENTS}
    FROM (SELECT id, generation FROM ended ORDER BY id) e
    WHERE ${executionOf('e.id')} AND x.unsettled & ${TELL_PARENTS} = ${TELL_PARENTS}
      AND x.completed_at IS NOT NULL AND x.generation = e.generation AND (SELECT count(*) FROM step) >= 0
  )
  SELECT ${wokenBy('woken')} FROM woken`,
};

/**
 * The same for executions that were deleted: their steps would stay open for ever. It reads the index of open waits, in
 * which the steps that wait for children are together.
 */
export const tellMissing: Statement<WokenTask> = {
  name: 'tell_missing',
  columns: WOKEN,
  text: (tables: TenantTables) => `WITH waiting AS MATERIALIZED (
    SELECT s.execution_id, s.task_no, s.item_no, s.name, 'Failed'::text AS status,
           json_build_object('status', 'Missing') AS result, NULL::json AS error
    FROM ${tables.step} s
    WHERE s.event_name = '${CHILD_EVENT}' AND s.event_name IS NOT NULL AND s.status = 'Open'
      AND NOT EXISTS (SELECT FROM ${tables.execution} x WHERE x.id = s.child_id)
    LIMIT $1::integer
  ), ${tellClauses(tables)}
  SELECT ${wokenBy('woken')} FROM woken WHERE (SELECT count(*) FROM step) >= 0`,
};
