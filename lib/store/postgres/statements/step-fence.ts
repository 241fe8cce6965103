import { taskOf, type TenantTables } from './statement.js';

/**
 * The CTEs that begin a statement that writes steps: `held`, the rows of `item` whose claim the task still has, and `task`,
 * which notes on the row of each task that it has steps.
 *
 * The task's row is locked first, and its token is compared under the lock. A join with the row would compare the token of
 * the snapshot. Progress takes the failed attempts and the recoveries off the row; most steps find nothing to change there.
 *
 * @param isProgress - a condition on a row of `held`: the step is over
 */
export function stepFence({ task }: TenantTables, isProgress: string): string {
  return `held AS MATERIALIZED (
    SELECT i.*, l.has_steps, l.attempt, l.recovery_attempts FROM item i CROSS JOIN LATERAL (
      SELECT t.has_steps, t.attempt, t.recovery_attempts FROM ${task} t
      WHERE t.execution_id = i.execution_id AND t.task_no = i.task_no AND t.item_no = i.item_no
        AND t.claim_token = i.claim_token
      FOR NO KEY UPDATE
    ) l
  ), task AS (
    UPDATE ${task} t
    SET has_steps = true, attempt = CASE WHEN h.progress THEN 0 ELSE t.attempt END,
        recovery_attempts = CASE WHEN h.progress THEN 0 ELSE t.recovery_attempts END
    FROM (
      SELECT execution_id, task_no, item_no, bool_or(${isProgress}) AS progress FROM held
      WHERE NOT has_steps OR ${isProgress} AND (attempt > 0 OR recovery_attempts > 0)
      GROUP BY 1, 2, 3
    ) h
    WHERE ${taskOf('h')}
  )`;
}
