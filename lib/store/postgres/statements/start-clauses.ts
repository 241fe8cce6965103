import { levelOf } from './priority-level.js';
import { IS_OPEN } from './open-tasks.js';
import { lockOrder, type TenantTables } from './statement.js';

/**
 * The columns of the executions to start, as parts of ROWS FROM: the parameters 1 to 13 of every statement that starts
 * executions. {@link startNames} has their names, and `startColumns` their values.
 */
export const START_COLUMNS = `unnest($1::uuid[]), unnest($2::bigint[]), json_array_elements_text($3::json), json_array_elements_text($4::json),
      unnest($5::integer[]), json_array_elements_text($6::json), unnest($7::bigint[]), unnest($8::integer[]),
      unnest($9::integer[]), unnest($10::bigint[]), unnest($11::integer[]), unnest($12::integer[]),
      json_array_elements_text($13::json)`;

/** @param claims - the name of the number of root tasks to claim */
export function startNames(claims = 'claims'): string {
  return `id, definition_id, workflow, input, priority, run_at, delay_ms, ${claims}, leaves, timeout_ms,
           first_task, task_count, idempotency_key`;
}

/**
 * The tasks of the executions `e`: `k` is the place of a task in the plan arrays, which are the parameters 14 to 16, and
 * `r.root` its number among the roots, -1 for the other tasks.
 */
export const TASKS_OF_STARTS = `FROM e
      CROSS JOIN LATERAL generate_series(e.first_task, e.first_task + e.task_count - 1) k
      CROSS JOIN LATERAL (SELECT ($15::integer[])[k] AS root) r`;

/** The limit key of task `k` of execution `e`. */
export const LIMIT_KEY = '(e.limit_keys::jsonb ->> (k - e.first_task)::text)';

/** When the tasks of execution `e` are due: at its time, or now, and later by its delay. */
export function dueAtOf({ clock }: TenantTables): string {
  return `coalesce(e.run_at::timestamptz, ${clock.transaction}) + coalesce(e.delay_ms, 0) * interval '1 millisecond'`;
}

/**
 * Inserts the tasks of the executions `e`, of which none is claimed. The roots of an execution with an admission are due when
 * it has its slot.
 *
 * @param dueAt - when the roots of the other executions are due
 */
export function insertUnclaimedTasks({ task }: TenantTables, dueAt: string): string {
  return `INSERT INTO ${task} (execution_id, task_no, definition_id, status, pending_dependencies, claim_token,
                         priority, run_at, limit_key)
    SELECT e.id, k - e.first_task, e.definition_id, CASE WHEN r.root < 0 THEN 'NotStarted' ELSE 'Ready' END,
           ($14::integer[])[k], 0, ${levelOf('e.priority + ($16::integer[])[k]')},
           CASE WHEN r.root >= 0 AND e.admission_key IS NULL THEN ${dueAt} END, ${LIMIT_KEY}
    ${TASKS_OF_STARTS}`;
}

/** The CTE that locks the open tasks of the executions in `found`, which may begin at the same time. Claims lock in the same order. */
export function lockedTasksClause({ task }: TenantTables): string {
  return `locked_task AS MATERIALIZED (
    SELECT t.* FROM (SELECT id FROM found ORDER BY 1) f CROSS JOIN LATERAL (
      SELECT t.execution_id, t.task_no, t.item_no FROM ${task} t
      WHERE t.execution_id = ANY (ARRAY[f.id]) AND ${IS_OPEN}
      ORDER BY ${lockOrder('t.')} FOR NO KEY UPDATE
    ) t
  )`;
}

/** Rows `u` with the definitions of parameter `ids` that are not stored, after a list of columns. */
export function fromMissingDefinitions({ definition }: TenantTables, ids: string): string {
  return `FROM unnest(${ids}::bigint[]) u(id) WHERE NOT EXISTS (SELECT FROM ${definition} d WHERE d.id = u.id)`;
}
