import { columns, boolean, orNull, uuid } from './columns.js';
import { MAX_TASKS } from './open-tasks.js';
import { LOCKED_COLUMNS, LOCKED_TASK } from './reset-execution.js';
import { executionOf, lockOrder, type Statement } from './statement.js';

const LOCKED = columns({
  id: uuid,
  isLeft: boolean,
  ...LOCKED_COLUMNS,
  definitionId: orNull(LOCKED_COLUMNS.definitionId),
});
export type LockedForReset = ReturnType<typeof LOCKED.decode>[number];

/**
 * Locks ended executions with all their tasks, for a manual retry of many. The caller decides on the returned rows what to
 * reset, in the same transaction.
 *
 * **Locks.** The tasks of all executions in the one order, and then the executions. Rows that others have locked are skipped,
 * and their execution is left for a later statement, so nothing waits while it has locks. An ended execution gets no new task
 * before it is retried, and a retry needs these locks.
 *
 * **Bound.** The statement takes executions until it has {@link MAX_TASKS} rows of tasks, but at least one execution.
 */
export const lockForResets: Statement<LockedForReset> = {
  name: 'lock_for_resets',
  columns: LOCKED,
  text: (tables) => `WITH item AS MATERIALIZED (
    SELECT i.id, n.tasks, sum(n.tasks) OVER (ORDER BY i.id) - n.tasks AS before
    FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) AS u(id)) i CROSS JOIN LATERAL (
      SELECT FROM ${tables.execution} x WHERE ${executionOf('i.id')} AND x.completed_at IS NOT NULL
    ) x CROSS JOIN LATERAL (
      SELECT count(*) AS tasks FROM ${tables.task} t WHERE t.execution_id = i.id
    ) n
  ), all_tasks AS MATERIALIZED (
    SELECT i.id, i.tasks, l.*
    FROM (SELECT * FROM item WHERE before < ${MAX_TASKS} ORDER BY id) i CROSS JOIN LATERAL (
      SELECT count(*) AS locked, json_agg(${LOCKED_TASK} ORDER BY task_no) FILTER (WHERE item_no = 0) AS rows
      FROM (
        SELECT t.task_no, t.item_no, t.status, t.skip_reason FROM ${tables.task} t WHERE t.execution_id = i.id
        ORDER BY ${lockOrder('t.')} FOR UPDATE SKIP LOCKED
      ) t
    ) l
  ), locked AS MATERIALIZED (
    SELECT a.id, a.rows, x.definition_id, x.status, x.generation, x.unsettled
    FROM all_tasks a CROSS JOIN LATERAL (
      SELECT * FROM ${tables.execution} x WHERE ${executionOf('a.id')} FOR UPDATE SKIP LOCKED
    ) x
    WHERE a.locked = a.tasks
  )
  SELECT ${LOCKED.select({
    id: 'i.id',
    isLeft: 'l.id IS NULL',
    definitionId: 'l.definition_id',
    status: "coalesce(l.status, '')",
    generation: 'coalesce(l.generation, 0)',
    unsettled: 'coalesce(l.unsettled, 0)::integer',
    tasks: 'l.rows',
  })}
  FROM item i LEFT JOIN locked l ON l.id = i.id`,
};
