import { appendAttempt } from './outcome-parts.js';
import { MAX_DURATION_MS } from '../../../workflow/index.js';
import { columns, longs } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { taskOf, type Statement, type TenantTables } from './statement.js';
import type { Reschedule, RescheduleResult } from '../../port/index.js';

const RESCHEDULED = columns({ ended: longs, woken: longs });
type RescheduledRow = ReturnType<typeof RESCHEDULED.decode>[number];

/** A condition: the task is to be suspended, and was woken after its claim. */
const WAS_WOKEN = "(l.kind = 'suspend' AND t.wakes <> l.wakes)";

/**
 * Returns claimed tasks as Ready, now or later, or as Waiting, fenced by the claim token like an outcome. A paused task
 * stays paused, so it becomes due but is not claimed.
 *
 * A suspended task decides by its own row whether it was woken since its claim: a waker adds 1 to `wakes` under
 * the lock of the same row, so one of the two comes second and sees the other. Without the counter, a wake-up between the
 * task's look and its suspension would be lost forever.
 * Of repeated deferrals only the first is an event, because the row contains its time
 * only until the condition is true. A suspension forgets that time: the condition was true, and the wait may take weeks.
 */
export const rescheduleTasks: Statement<RescheduledRow> = {
  name: 'reschedule_tasks',
  columns: RESCHEDULED,
  text: (tables: TenantTables) => `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]), unnest($5::text[]),
      unnest($6::bigint[]), unnest($7::integer[]), json_array_elements_text($8::json),
      unnest($9::integer[])
    ) WITH ORDINALITY AS i(execution_id, task_no, item_no, claim_token, kind, delay_ms, wakes, detail, joins, ord)
  ), locked AS MATERIALIZED (
    SELECT i.*, l.owner, l.deferred_since IS NULL AS is_first FROM item i CROSS JOIN LATERAL (
      SELECT t.owner, t.deferred_since FROM ${tables.task} t
      WHERE t.execution_id = i.execution_id AND t.task_no = i.task_no AND t.item_no = i.item_no
        AND t.claim_token = i.claim_token
      FOR NO KEY UPDATE
    ) l
  ), done AS (
    UPDATE ${tables.task} t
    SET status = CASE WHEN l.kind = 'suspend' THEN 'Waiting' ELSE 'Ready' END, claim_token = t.claim_token + 1,
        owner = NULL,
        run_at = CASE WHEN ${WAS_WOKEN} THEN ${tables.clock.now}
                      ELSE ${tables.clock.now} + l.delay_ms * interval '1 millisecond' END,
        pending_dependencies = CASE WHEN ${WAS_WOKEN} THEN 0 WHEN l.kind = 'suspend' THEN l.joins
                                    ELSE t.pending_dependencies END,
        attempt = CASE WHEN l.kind = 'retry' THEN t.attempt + 1 ELSE t.attempt END,
        attempts = CASE WHEN l.kind = 'retry' THEN ${appendAttempt(tables, 'l.detail')} ELSE t.attempts END,
        error = CASE WHEN l.kind = 'retry' THEN l.detail::json -> 'error' ELSE t.error END,
        recovery_attempts = CASE WHEN l.kind IN ('retry', 'suspend') THEN 0 ELSE t.recovery_attempts END,
        deferred_since = CASE WHEN l.kind IN ('retry', 'suspend') THEN NULL
                              WHEN l.kind = 'defer' THEN coalesce(t.deferred_since, ${tables.clock.now})
                              ELSE t.deferred_since END
    FROM locked l
    WHERE ${taskOf('l')}
    RETURNING t.execution_id, t.task_no, t.item_no, t.attempt, t.started_at, l.owner, l.is_first, l.ord, l.kind, l.detail,
              ${WAS_WOKEN} AS was_woken
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, task_no, item_no, kind, detail)
    SELECT execution_id, task_no, item_no, CASE WHEN kind = 'retry' THEN 'retried' ELSE 'deferred' END,
           CASE WHEN kind = 'retry' THEN
             jsonb_build_object('attempt', attempt, 'startedAt', started_at, 'owner', owner,
                                'error', detail::jsonb -> 'error') END
    FROM done WHERE kind = 'retry' OR kind = 'defer' AND is_first
    ORDER BY ord
  )
  SELECT ${RESCHEDULED.select({
    ended: '(SELECT array_agg(ord - 1) FROM done WHERE NOT was_woken)',
    woken: '(SELECT array_agg(ord - 1) FROM done WHERE was_woken)',
  })}`,
};

/** `items` must be sorted by {@link byLockOrder}. */
export function rescheduleValues(items: readonly Reschedule[]): unknown[] {
  return [
    plainArray(items.map((item) => item.executionId)),
    plainArray(items.map((item) => item.taskNo)),
    plainArray(items.map((item) => item.itemNo)),
    plainArray(items.map((item) => item.token)),
    plainArray(items.map((item) => item.kind)),
    plainArray(items.map(({ delayMs }) => (delayMs === null ? null : wholeDelay(delayMs)))),
    plainArray(items.map((item) => item.wakes)),
    jsonColumn(
      items.map((item) => (item.kind === 'retry' ? JSON.stringify({ error: item.error }) : null)),
    ),
    plainArray(items.map((item) => item.joins ?? 0)),
  ];
}

/** Converts a delay to whole milliseconds in the valid range, because one invalid delay would fail the whole batch. */
function wholeDelay(delayMs: number): number {
  return Number.isNaN(delayMs) ? 0 : Math.ceil(Math.min(Math.max(0, delayMs), MAX_DURATION_MS));
}

export function rescheduledOf([row]: readonly RescheduledRow[], count: number): RescheduleResult[] {
  const results = new Array<RescheduleResult>(count).fill('refused');
  for (const index of row?.ended ?? []) results[index] = 'ended';
  for (const index of row?.woken ?? []) results[index] = 'woken';
  return results;
}
