import { boolean, columns, integer, uuid } from './columns.js';
import { lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import type { WokenTask } from '../../port/index.js';

const WOKEN = columns({ executionId: uuid, taskNo: integer, itemNo: integer, isDue: boolean });

/**
 * A CTE that wakes tasks, for every statement that ends a wait. It decides from the task's own row: one that waits is due
 * now, and for one that still runs the counter tells its suspension that it came too late.
 *
 * `source` names rows with the columns of a task's key and `n`, the number of wake-ups; one row for each task, in the lock
 * order. Tasks are locked before executions, and before their steps.
 */
export function wakeClause(tables: TenantTables, source: string): string {
  return `woken AS (
    UPDATE ${tables.task} t
    SET wakes = t.wakes + w.n,
        run_at = CASE WHEN t.status || '' = 'Waiting' THEN ${tables.clock.now} ELSE t.run_at END
    FROM ${source} w
    WHERE ${taskOf('w')} AND t.completed_at IS NULL
    RETURNING t.execution_id, t.task_no, t.item_no, t.status = 'Waiting' AND NOT t.paused AS is_due
  )`;
}

/** Wakes tasks by their keys. */
export const wakeTasks: Statement<WokenTask> = {
  name: 'wake_tasks',
  columns: WOKEN,
  text: (tables) => `WITH item AS MATERIALIZED (
    SELECT execution_id, task_no, item_no, count(*)::integer AS n
    FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS i(execution_id, task_no, item_no)
    GROUP BY 1, 2, 3 ORDER BY ${lockOrder('')}
  ), ${wakeClause(tables, 'item')}
  SELECT ${WOKEN.select({
    executionId: 'execution_id',
    taskNo: 'task_no',
    itemNo: 'item_no',
    isDue: 'is_due',
  })} FROM woken`,
};
