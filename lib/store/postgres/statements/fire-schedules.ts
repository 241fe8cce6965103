import { jsonColumn, plainArray } from './encoding.js';
import {
  FIRED,
  firingStartValues,
  selectMissingDefinitions,
  startsOfFirings,
  type FiredRow,
} from './firing-starts.js';
import type { Statement, TenantTables } from './statement.js';
import type { FireReply, ScheduleFire } from '../../port/index.js';

/**
 * Makes the firings of many schedules. One commit moves a schedule, records its firings and creates their executions, so
 * there is no state between them that a crash could leave.
 *
 * **Once.** The row of the schedule decides: it is locked first, and its version compared under the lock. Another process
 * that fires the same, an update, a pause or a deletion either comes before, and this statement finds another version or no
 * row; or it comes after, and finds the version of this one. A firing that is recorded already starts nothing, and its
 * execution does not become the last one of the schedule. A firing that ends a pause is a change of the schedule, so it
 * begins a new count of failed executions.
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
      unnest($23::timestamptz[]), unnest($24::uuid[]), json_array_elements_text($25::json)
    ) WITH ORDINALITY AS i(name, version, state, reason, next_for, next_at, last_fired_for, last_execution_id, last_error, ord)
  ), held AS MATERIALIZED (
    SELECT i.* FROM i CROSS JOIN LATERAL (
      SELECT FROM ${tables.schedule} c
      WHERE c.name = ANY (ARRAY[i.name]) AND c.version = i.version
      FOR NO KEY UPDATE SKIP LOCKED
    ) l
  ), firing AS (
    INSERT INTO ${tables.scheduleFiring} (schedule, scheduled_for, outcome, execution_id, until, count, due_at, fired_at)
    SELECT f.*, ${clock.now} FROM ROWS FROM (
      json_array_elements_text($26::json), unnest($27::timestamptz[]), unnest($28::text[]), unnest($29::uuid[]),
      unnest($30::timestamptz[]), unnest($31::integer[]), unnest($35::timestamptz[])
    ) AS f(schedule, scheduled_for, outcome, execution_id, until, count, due_at)
    WHERE f.schedule IN (SELECT name FROM held)
    ON CONFLICT DO NOTHING
    RETURNING schedule, scheduled_for, execution_id
  ), moved AS (
    UPDATE ${tables.schedule} c
    SET state = h.state, reason = h.reason, next_for = h.next_for, next_at = h.next_at,
        last_fired_for = h.last_fired_for,
        last_execution_id = CASE WHEN h.last_execution_id = ANY ($29::uuid[])
                                   AND h.last_execution_id NOT IN (SELECT execution_id FROM firing WHERE execution_id IS NOT NULL)
                                 THEN c.last_execution_id ELSE h.last_execution_id END,
        last_error = h.last_error::json, version = c.version + 1,
        updated_at = CASE WHEN c.state <> 'active' AND h.state = 'active' THEN ${clock.now} ELSE c.updated_at END
    FROM held h WHERE c.name = ANY (ARRAY[h.name])
  ), ${startsOfFirings(tables, { tags: '$32', limitKeys: '$34', admissionKeys: '$36', startBefore: '$37', traces: '$38' })}
  SELECT ${FIRED.selectSome({ index: 'ord - 1' })} FROM held
  ${selectMissingDefinitions(tables, '$33')}`;
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
  const starts = firingStartValues(firings);
  return [
    ...starts.first,
    JSON.stringify(schedules.map(({ name }) => name)),
    plainArray(schedules.map(({ version }) => version)),
    JSON.stringify(schedules.map(({ state }) => state)),
    JSON.stringify(schedules.map(({ reason }) => reason)),
    plainArray(schedules.map(({ nextFor }) => timeText(nextFor))),
    plainArray(schedules.map(({ nextAt }) => timeText(nextAt))),
    plainArray(schedules.map(({ lastFiredFor }) => timeText(lastFiredFor))),
    plainArray(schedules.map(({ lastExecutionId }) => lastExecutionId)),
    jsonColumn(
      schedules.map(({ lastError }) => (lastError === null ? null : JSON.stringify(lastError))),
    ),
    JSON.stringify(firings.map(({ name }) => name)),
    plainArray(firings.map(({ scheduledFor }) => timeText(scheduledFor))),
    plainArray(firings.map(({ outcome }) => outcome)),
    plainArray(firings.map(({ start }) => start?.id)),
    plainArray(firings.map(({ until }) => timeText(until))),
    plainArray(firings.map(({ count }) => count)),
    starts.tags,
    starts.definitionIds,
    starts.limitKeys,
    plainArray(firings.map(({ dueAt }) => timeText(dueAt))),
    starts.admissionKeys,
    starts.startBefore,
    starts.traces,
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
