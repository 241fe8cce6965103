import type { TenantTables } from './statement.js';

/** A condition: step `s` is one of task `r`. */
const STEP_OF =
  's.execution_id = ANY (ARRAY[r.execution_id]) AND s.task_no = r.task_no AND s.item_no = r.item_no';

/**
 * The CTEs that reset the steps of tasks.
 *
 * A task that keeps its steps waits again for the children that did not complete. Such a step names the generation of the
 * child from which on the task's next run retries it; a child of another parent is only waited for.
 *
 * @param reset - a CTE with the tasks: `execution_id`, `task_no`, `item_no`, `keeps_steps`
 */
export function resetSteps({ execution, step }: TenantTables, reset: string): string {
  return `step AS (
    DELETE FROM ${step} s USING ${reset} r
    WHERE ${STEP_OF} AND (NOT r.keeps_steps OR s.status <> 'Done' AND s.kind <> 'child')
  ), child_step AS (
    UPDATE ${step} s
    SET status = 'Open', error = NULL, completed_at = NULL,
        result = CASE WHEN c.parent_execution_id = s.execution_id AND c.completed_at IS NOT NULL AND c.status <> 'Completed'
          THEN json_build_object('retryFrom', c.generation) END
    FROM ${reset} r, ${execution} c
    WHERE ${STEP_OF} AND r.keeps_steps AND s.kind = 'child' AND s.status || '' <> 'Done' AND c.id = s.child_id
  )`;
}
