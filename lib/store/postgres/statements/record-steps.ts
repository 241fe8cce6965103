import { columns, restMs, long, orNull } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import type { Statement, TenantTables } from './statement.js';
import { stepFence } from './step-fence.js';
import type { StepRecord, StepReply } from '../../port/index.js';

const RECORDED = columns({ index: long, dueInMs: orNull(long) });
type RecordedRow = ReturnType<typeof RECORDED.decode>[number];

/**
 * Writes checkpoints of tasks, fenced by the claim tokens of the tasks.
 *
 * **Fence.** The task's row is locked first, and its token is compared under the lock. A join with the row would compare
 * the token of the snapshot: another process could take the task over between the snapshot and the insert, and read the
 * steps before this one is committed. The lock also keeps writers of the same checkpoint apart.
 *
 * **Progress.** A record that is not open takes the failed attempts and the recoveries off the task's row, in the same
 * statement, so a crash right after it does not forget them. Most records find nothing to change there, and write one row.
 *
 * **Again.** A record that is sent again finds its row, and changes it only if it ends an open wait. An open wait that the
 * code of a later release opens for another message listens for that one, until the time that it had.
 */
export const recordSteps: Statement<RecordedRow> = {
  name: 'record_steps',
  columns: RECORDED,
  text: (tables: TenantTables) => `WITH item AS MATERIALIZED (
    SELECT i.*, coalesce(i.due_on::timestamptz, ${tables.clock.now} + i.due_ms * interval '1 millisecond') AS due_at
    FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]),
      json_array_elements_text($5::json), unnest($6::text[]), unnest($7::text[]), json_array_elements($8::json),
      json_array_elements_text($9::json), unnest($10::uuid[]), json_array_elements_text($11::json),
      json_array_elements_text($12::json), unnest($13::bigint[]), json_array_elements_text($14::json), unnest($15::boolean[]), unnest($16::bigint[])
    ) WITH ORDINALITY AS i(execution_id, task_no, item_no, claim_token, name, kind, status, result, error, child_id,
                           event_name, event_key, due_ms, due_on, has_result, took_ms, ord)
  ), ${stepFence(tables, "status <> 'Open'")}, step AS (
    INSERT INTO ${tables.step} AS s (execution_id, task_no, item_no, name, kind, status, result, error, child_id,
                                     event_name, event_key, due_at, started_at, completed_at)
    SELECT execution_id, task_no, item_no, name, kind, status, CASE WHEN has_result THEN result END,
           error::json, child_id, event_name,
           event_key, due_at, ${tables.clock.now} - took_ms * interval '1 millisecond',
           CASE WHEN status <> 'Open' THEN ${tables.clock.now} END
    FROM held
    ON CONFLICT (execution_id, task_no, item_no, name) DO UPDATE
      SET status = excluded.status, result = excluded.result, error = excluded.error,
          completed_at = excluded.completed_at,
          kind = CASE WHEN excluded.status = 'Open' THEN excluded.kind ELSE s.kind END,
          event_name = CASE WHEN excluded.status = 'Open' THEN excluded.event_name ELSE s.event_name END,
          event_key = CASE WHEN excluded.status = 'Open' THEN excluded.event_key ELSE s.event_key END
      WHERE s.status || '' = 'Open' AND (excluded.status <> 'Open'
        OR (s.event_name, s.event_key) IS DISTINCT FROM (excluded.event_name, excluded.event_key))
  )
  SELECT ${RECORDED.select({ index: 'ord - 1', dueInMs: restMs(`due_at - ${tables.clock.now}`) })} FROM held`,
};

/** `records` must be sorted by {@link byLockOrder}. */
export function recordValues(records: readonly StepRecord[]): unknown[] {
  const due = records.map((record) => record.due);
  return [
    plainArray(records.map(({ executionId }) => executionId)),
    plainArray(records.map(({ taskNo }) => taskNo)),
    plainArray(records.map(({ itemNo }) => itemNo)),
    plainArray(records.map(({ token }) => token)),
    JSON.stringify(records.map(({ name }) => name)),
    plainArray(records.map(({ kind }) => kind)),
    plainArray(records.map(({ status }) => status)),
    jsonColumn(records.map(({ result }) => result)),
    jsonColumn(records.map(({ error }) => error)),
    plainArray(records.map(({ childId }) => childId)),
    JSON.stringify(records.map(({ listensFor }) => listensFor?.name ?? null)),
    JSON.stringify(records.map(({ listensFor }) => listensFor?.key ?? null)),
    plainArray(due.map((each) => (each !== null && 'inMs' in each ? Math.ceil(each.inMs) : null))),
    JSON.stringify(due.map((each) => (each !== null && 'at' in each ? each.at : null))),
    // A result may be any JSON value, also null.
    plainArray(records.map(({ result }) => result !== null)),
    plainArray(records.map(({ tookMs = 0 }) => Math.round(tookMs))),
  ];
}

/** By index: undefined if the claim was lost. */
export function repliesOf(rows: readonly RecordedRow[], count: number): (StepReply | undefined)[] {
  const replies = new Array<StepReply | undefined>(count).fill(undefined);
  for (const { index, dueInMs } of rows) replies[index] = { dueInMs };
  return replies;
}
