import { boolean, columns, integer, uuid } from './columns.js';
import { lockOrder, taskOf, type Statement } from './statement.js';
import type { WokenTask } from '../../port/index.js';

const WOKEN = columns({ executionId: uuid, taskNo: integer, itemNo: integer, isDue: boolean });

/** Wakes tasks by their keys; see `wakeAndClaimClauses`. */
export const wakeTasks: Statement<WokenTask> = {
  name: 'wake_tasks',
  columns: WOKEN,
  text: (tables) => `WITH item AS MATERIALIZED (
    SELECT execution_id, task_no, item_no, count(*)::integer AS n
    FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS i(execution_id, task_no, item_no)
    GROUP BY 1, 2, 3 ORDER BY ${lockOrder('')}
  ), woken AS (
    UPDATE ${tables.task} t
    SET wakes = t.wakes + w.n,
        run_at = CASE WHEN t.status || '' = 'Waiting' THEN ${tables.clock.now} ELSE t.run_at END
    FROM item w
    WHERE ${taskOf('w')} AND t.completed_at IS NULL
    RETURNING t.execution_id, t.task_no, t.item_no, t.status = 'Waiting' AND NOT t.paused AS is_due
  )
  SELECT ${WOKEN.select({
    executionId: 'execution_id',
    taskNo: 'task_no',
    itemNo: 'item_no',
    isDue: 'is_due',
  })} FROM woken`,
};
