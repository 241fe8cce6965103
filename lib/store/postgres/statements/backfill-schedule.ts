import { plainArray } from './encoding.js';
import { timeText } from './fire-schedules.js';
import {
  FIRED,
  firingStartValues,
  selectMissingDefinitions,
  startsOfFirings,
  type FiredRow,
} from './firing-starts.js';
import type { Statement, TenantTables } from './statement.js';
import type { Backfill } from '../../port/index.js';

/**
 * Records firings for times that are past, and creates their executions.
 *
 * The version of the schedule is compared under the lock of its row, as each firing does, and increases. So the records that
 * the caller has read are still those of the table: of two backfills, or of a backfill and a firing, one reads again. An
 * instant that was passed over, by itself or as the first of a range, has a record without an execution, which is replaced. The
 * range of pruned records stays, also if it came after the caller had read.
 */
function backfillText(tables: TenantTables): string {
  const { clock } = tables;
  return `WITH held AS MATERIALIZED (
    SELECT c.name FROM ${tables.schedule} c WHERE c.name = $17 AND c.version = $18::integer
    FOR NO KEY UPDATE SKIP LOCKED
  ), moved AS (
    UPDATE ${tables.schedule} c SET version = c.version + 1 FROM held h WHERE c.name = ANY (ARRAY[h.name])
  ), firing AS (
    INSERT INTO ${tables.scheduleFiring} AS f (schedule, scheduled_for, outcome, execution_id, until, count, fired_at)
    SELECT h.name, i.*, ${clock.now} FROM held h CROSS JOIN ROWS FROM (
      unnest($19::timestamptz[]), unnest($20::text[]), unnest($21::uuid[]), unnest($22::timestamptz[]),
      unnest($23::integer[])
    ) AS i(scheduled_for, outcome, execution_id, until, count)
    ON CONFLICT (schedule, scheduled_for) DO UPDATE
    SET outcome = excluded.outcome, execution_id = excluded.execution_id, until = excluded.until, count = excluded.count,
        fired_at = CASE WHEN excluded.execution_id IS NULL THEN f.fired_at ELSE excluded.fired_at END, due_at = NULL
    WHERE f.execution_id IS NULL AND f.outcome <> 'pruned'
    RETURNING f.schedule, f.scheduled_for, f.execution_id
  ), ${startsOfFirings(tables, { tags: '$24', limitKeys: '$26', admissionKeys: '$27', startBefore: '$28', traces: '$29' })}
  SELECT ${FIRED.selectSome({ index: '0::bigint' })} FROM held
  ${selectMissingDefinitions(tables, '$25')}`;
}

export const backfillSchedule: Statement<FiredRow> = {
  name: 'backfill_schedule',
  columns: FIRED,
  text: backfillText,
};

export function backfillValues({ schedule, version, firings }: Backfill): unknown[] {
  const starts = firingStartValues(firings);
  return [
    ...starts.first,
    schedule,
    version,
    plainArray(firings.map(({ scheduledFor }) => timeText(scheduledFor))),
    plainArray(firings.map(({ outcome }) => outcome)),
    plainArray(firings.map(({ start }) => start?.id)),
    plainArray(firings.map(({ until }) => timeText(until))),
    plainArray(firings.map(({ count }) => count)),
    starts.tags,
    starts.definitionIds,
    starts.limitKeys,
    starts.admissionKeys,
    starts.startBefore,
    starts.traces,
  ];
}
