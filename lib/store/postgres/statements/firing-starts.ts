import { unsettledBy } from './admission-slots.js';
import { levelOf } from './priority-level.js';
import { LIMIT_KEY } from './start-executions.js';
import type { TenantTables } from './statement.js';

/** The parameters that each statement has in another place. */
interface FiringParameters {
  readonly tags: string;
  readonly limitKeys: string;
  readonly admissionKeys: string;
}

/**
 * The CTEs that create the executions of the firings in the CTE `firing`, with their tasks. The parameters from 1 to 16 are
 * the columns of the starts. Their root tasks are not claimed: the firings of many schedules come at one instant, and the
 * usual claims share them out between the processes. An execution whose workflow has an admission waits for its turn.
 */
export function startsOfFirings(
  { clock, execution, task }: TenantTables,
  { tags, limitKeys, admissionKeys }: FiringParameters,
): string {
  return `e AS MATERIALIZED (
    SELECT e.*, f.schedule, f.scheduled_for FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::bigint[]), json_array_elements_text($3::json), json_array_elements_text($4::json),
      unnest($5::integer[]), json_array_elements_text($6::json), unnest($7::bigint[]), unnest($8::integer[]),
      unnest($9::integer[]), unnest($10::bigint[]), unnest($11::integer[]), unnest($12::integer[]),
      json_array_elements_text($13::json), json_array_elements_text(${tags}::json),
      json_array_elements_text(${limitKeys}::json), json_array_elements_text(${admissionKeys}::json)
    ) AS e(id, definition_id, workflow, input, priority, run_at, delay_ms, claims, leaves, timeout_ms,
           first_task, task_count, idempotency_key, tags, limit_keys, admission_key)
      JOIN firing f ON f.execution_id = e.id
  ), execution AS (
    INSERT INTO ${execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                              timeout_ms, tags, schedule, scheduled_for, admission_key, run_at, unsettled)
    SELECT id, workflow, definition_id, 'Pending', priority, input::json, leaves, timeout_ms, tags::jsonb, schedule,
           scheduled_for, admission_key, CASE WHEN admission_key IS NOT NULL THEN ${clock.transaction} END,
           ${unsettledBy('admission_key')}
    FROM e
  ), task AS (
    INSERT INTO ${task} (execution_id, task_no, definition_id, status, pending_dependencies, claim_token,
                         priority, run_at, limit_key)
    SELECT e.id, k - e.first_task, e.definition_id, CASE WHEN r.root < 0 THEN 'NotStarted' ELSE 'Ready' END,
           ($14::integer[])[k], 0, ${levelOf('e.priority + ($16::integer[])[k]')},
           CASE WHEN r.root >= 0 AND e.admission_key IS NULL THEN ${clock.transaction} END, ${LIMIT_KEY}
    FROM e
      CROSS JOIN LATERAL generate_series(e.first_task, e.first_task + e.task_count - 1) k
      CROSS JOIN LATERAL (SELECT ($15::integer[])[k] AS root) r
  )`;
}
