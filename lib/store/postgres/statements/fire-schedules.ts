import { bigint, columns, long, orNull } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { LIMIT_KEY, startColumns } from './start-executions.js';
import type { Statement, TenantTables } from './statement.js';
import type { FireReply, ScheduleFire } from '../../port/index.js';

const FIRED = columns({ index: long, missingDefinition: orNull(bigint) });
type FiredRow = ReturnType<typeof FIRED.decode>[number];

/**
 * Makes the firings of many schedules. One commit moves a schedule, records its firings and creates their executions, so
 * there is no state between them that a crash could leave.
 *
 * **Once.** The row of the schedule decides: it is locked first, and its version compared under the lock. Another process
 * that fires the same, an update, a pause or a deletion either comes before, and this statement finds another version or no
 * row; or it comes after, and finds the version of this one. A firing that is recorded already starts nothing.
 *
 * **Locks.** A row that another transaction has locked is skipped. A caller may have changed the schedule in a transaction
 * that stays open, and the other schedules of the batch must not wait for it.
 */
function fireText(tables: TenantTables): string {
  const { clock } = tables;
  return `WITH i AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      json_array_elements_text($17::json), unnest($18::integer[]), json_array_elements_text($19::json),
      json_array_elements_text($20::json), unnest($21::timestamptz[]), unnest($22::timestamptz[]),
      unnest($23::timestamptz[]), unnest($24::uuid[]), unnest($25::integer[])
    ) WITH ORDINALITY AS i(name, version, state, reason, next_for, next_at, last_fired_for, last_execution_id, failures, ord)
  ), held AS MATERIALIZED (
    SELECT i.* FROM i CROSS JOIN LATERAL (
      SELECT FROM ${tables.schedule} c
      WHERE c.name = ANY (ARRAY[i.name]) AND c.version = i.version
      FOR NO KEY UPDATE SKIP LOCKED
    ) l
  ), moved AS (
    UPDATE ${tables.schedule} c
    SET state = h.state, reason = h.reason, next_for = h.next_for, next_at = h.next_at,
        last_fired_for = h.last_fired_for, last_execution_id = h.last_execution_id, failures = h.failures,
        version = c.version + 1
    FROM held h WHERE c.name = ANY (ARRAY[h.name])
  ), firing AS (
    INSERT INTO ${tables.scheduleFiring} (schedule, scheduled_for, outcome, execution_id, until, count)
    SELECT f.* FROM ROWS FROM (
      json_array_elements_text($26::json), unnest($27::timestamptz[]), unnest($28::text[]), unnest($29::uuid[]),
      unnest($30::timestamptz[]), unnest($31::integer[])
    ) AS f(schedule, scheduled_for, outcome, execution_id, until, count)
    WHERE f.schedule IN (SELECT name FROM held)
    ON CONFLICT DO NOTHING
    RETURNING schedule, scheduled_for, execution_id
  ), e AS MATERIALIZED (
    SELECT e.*, f.schedule, f.scheduled_for FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::bigint[]), json_array_elements_text($3::json), json_array_elements_text($4::json),
      unnest($5::integer[]), json_array_elements_text($6::json), unnest($7::bigint[]), unnest($8::integer[]),
      unnest($9::integer[]), unnest($10::bigint[]), unnest($11::integer[]), unnest($12::integer[]),
      json_array_elements_text($13::json), json_array_elements_text($32::json), json_array_elements_text($34::json)
    ) AS e(id, definition_id, workflow, input, priority, run_at, delay_ms, claims, leaves, timeout_ms,
           first_task, task_count, idempotency_key, tags, limit_keys)
      JOIN firing f ON f.execution_id = e.id
  ), execution AS (
    INSERT INTO ${tables.execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                                     timeout_ms, tags, schedule, scheduled_for)
    SELECT id, workflow, definition_id, 'Pending', priority, input::json, leaves, timeout_ms, tags::jsonb, schedule,
           scheduled_for
    FROM e
  ), task AS (
    INSERT INTO ${tables.task} (execution_id, task_no, definition_id, status, pending_dependencies, claim_token,
                                priority, run_at, limit_key)
    SELECT e.id, k - e.first_task, e.definition_id, CASE WHEN r.root < 0 THEN 'NotStarted' ELSE 'Ready' END,
           ($14::integer[])[k], 0, e.priority + ($16::integer[])[k],
           CASE WHEN r.root >= 0 THEN ${clock.transaction} END, ${LIMIT_KEY}
    FROM e
      CROSS JOIN LATERAL generate_series(e.first_task, e.first_task + e.task_count - 1) k
      CROSS JOIN LATERAL (SELECT ($15::integer[])[k] AS root) r
  )
  SELECT ${FIRED.selectSome({ index: 'ord - 1' })} FROM held
  UNION ALL SELECT ${FIRED.selectSome({ index: '-1', missingDefinition: 'u.id' })} FROM unnest($33::bigint[]) u(id)
  WHERE NOT EXISTS (SELECT FROM ${tables.definition} d WHERE d.id = u.id)`;
}

export const fireSchedules: Statement<FiredRow> = {
  name: 'fire_schedules',
  columns: FIRED,
  text: fireText,
};

/** An instant as an element of a timestamptz array. */
export function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** @param schedules - in the order of their names, so that statements lock them in one order */
export function fireValues(schedules: readonly ScheduleFire[]): unknown[] {
  const firings = schedules.flatMap(({ name, firings: of }) => of.map((one) => ({ name, ...one })));
  const starts = firings.flatMap(({ start }) => start ?? []);
  const { values, plans } = startColumns(starts);
  return [
    ...values,
    JSON.stringify(schedules.map(({ name }) => name)),
    plainArray(schedules.map(({ version }) => version)),
    JSON.stringify(schedules.map(({ state }) => state)),
    JSON.stringify(schedules.map(({ reason }) => reason)),
    plainArray(schedules.map(({ nextFor }) => timeText(nextFor))),
    plainArray(schedules.map(({ nextAt }) => timeText(nextAt))),
    plainArray(schedules.map(({ lastFiredFor }) => timeText(lastFiredFor))),
    plainArray(schedules.map(({ lastExecutionId }) => lastExecutionId)),
    plainArray(schedules.map(({ failures }) => failures)),
    JSON.stringify(firings.map(({ name }) => name)),
    plainArray(firings.map(({ scheduledFor }) => timeText(scheduledFor))),
    plainArray(firings.map(({ outcome }) => outcome)),
    plainArray(firings.map(({ start }) => start?.id)),
    plainArray(firings.map(({ until }) => timeText(until))),
    plainArray(firings.map(({ count }) => count)),
    jsonColumn(starts.map(({ tags }) => tags)),
    plainArray(plans.map(({ definitionId }) => definitionId)),
    jsonColumn(starts.map(({ limitKeys }) => limitKeys)),
  ];
}

export function fireReplyOf(rows: readonly FiredRow[], count: number): FireReply {
  const fired = new Array<boolean>(count).fill(false);
  let definitionsAreStored = true;
  for (const { index, missingDefinition } of rows) {
    if (missingDefinition === null) fired[index] = true;
    else definitionsAreStored = false;
  }
  return { fired, definitionsAreStored };
}
