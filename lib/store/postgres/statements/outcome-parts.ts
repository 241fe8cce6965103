import { taskOf, type TenantTables } from './statement.js';

/** Locks failed tasks that are handled, because they precede the tasks that handle them. */
export function handledLocked(tables: TenantTables): string {
  return `handled_locked AS MATERIALIZED (
    SELECT FROM item i CROSS JOIN LATERAL (
      SELECT FROM ${tables.task} t
      WHERE t.execution_id = i.execution_id AND t.task_no = i.task_no AND t.item_no = i.item_no FOR NO KEY UPDATE
    ) l
    WHERE i.via IS NOT NULL
  ), `;
}

export function handledFailures(tables: TenantTables): string {
  return `handled AS (
    UPDATE ${tables.task} t SET failure_handled = true
    FROM item i
    WHERE ${taskOf('i')} AND i.via IS NOT NULL AND t.status || '' = 'Failed' AND NOT t.failure_handled
      AND (i.via IN (SELECT d.ord FROM done d WHERE d.status = 'Completed')) IS TRUE
    RETURNING t.execution_id, i.via
  ), `;
}

/** What an outcome changes in its own row beside its output: the same columns for all, those of failures aside. */
export const PLAIN_CHANGES = `status = 'Completed', skip_reason = NULL, deleted_keys = NULL, error = NULL`;

export function fullChanges(tables: TenantTables): string {
  return `status = i.status, skip_reason = i.detail::json ->> 'skipReason',
        deleted_keys = CASE WHEN i.detail IS NOT NULL AND i.detail::json -> 'deletedKeys' IS NOT NULL
          THEN ARRAY(SELECT json_array_elements_text(i.detail::json -> 'deletedKeys')) END,
        error = i.detail::json -> 'error',
        attempt = CASE WHEN i.status = 'Failed' THEN t.attempt + 1 ELSE t.attempt END,
        attempts = CASE WHEN i.status = 'Failed' THEN ${appendAttempt(tables, 'i.detail')} ELSE t.attempts END`;
}

/** The changes of executions, before they are grouped. The failure of an item is a matter of its map. */
export const PLAIN_ENDS = `SELECT c.execution_id, max(c.ord) AS ord, count(*)::integer AS leaves, 0 AS failures,
           max(c.final_context) AS final_context
    FROM done c WHERE c.leaf`;
export const FULL_ENDS = `SELECT c.execution_id, max(c.ord) AS ord, sum(c.leaves)::integer AS leaves, sum(c.failures)::integer AS failures,
           max(c.final_context) AS final_context
    FROM (
      SELECT execution_id, ord, leaf::integer AS leaves, (status = 'Failed')::integer AS failures, final_context
      FROM done WHERE leaf OR status = 'Failed' AND item_no = 0
      UNION ALL
      SELECT execution_id, via, 0, -1, NULL FROM handled
    ) c`;

/** Appends the failed attempt to the row's history, with the row's own times. The newest twenty are kept. */
export function appendAttempt(tables: TenantTables, detail: string): string {
  return `(CASE WHEN jsonb_array_length(coalesce(t.attempts, '[]'::jsonb)) >= 20 THEN t.attempts - 0
      ELSE coalesce(t.attempts, '[]'::jsonb) END)
    || jsonb_build_object('attempt', t.attempt + 1, 'startedAt', t.started_at, 'completedAt', ${tables.clock.now},
                          'owner', t.owner, 'error', (${detail})::jsonb -> 'error')`;
}
