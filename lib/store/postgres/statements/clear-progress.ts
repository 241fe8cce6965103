import { NO_COLUMNS, taskOf, type Statement } from './statement.js';

/**
 * Deletes the progress of tasks that have ended. It is not part of the statement that records outcomes: that one would
 * look for a row of each task, and most tasks report nothing. Readers ignore the rows that a dead process leaves.
 *
 * The ended tasks are a materialized CTE, so that no plan finds a task by the columns of its progress.
 */
export const clearProgress: Statement = {
  name: 'clear_progress',
  columns: NO_COLUMNS,
  text: (tables) => `WITH ended AS MATERIALIZED (
    SELECT i.execution_id, i.task_no, i.item_no
    FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS i(execution_id, task_no, item_no)
      JOIN ${tables.task} t ON ${taskOf('i')}
    WHERE t.status || '' IN ('Completed', 'Failed', 'Skipped', 'Cancelled')
  )
  DELETE FROM ${tables.progress} p USING ended e
  WHERE p.execution_id = ANY (ARRAY[e.execution_id]) AND p.task_no = e.task_no AND p.item_no = e.item_no`,
};
