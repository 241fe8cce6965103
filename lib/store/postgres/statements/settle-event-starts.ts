import { NO_COLUMNS, type Statement } from './statement.js';
import { jsonColumn, plainArray } from './encoding.js';
import type { EventStartResult } from '../../port/index.js';

/**
 * Deletes starts that were made, and postpones those that failed. It needs no fence: if another process has taken a row too,
 * it finds the execution that was started first.
 */
export const settleEventStarts: Statement = {
  name: 'settle_event_starts',
  columns: NO_COLUMNS,
  text: ({ eventStart, clock }) => `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::bigint[]), json_array_elements_text($2::json), json_array_elements_text($3::json), unnest($4::bigint[])
    ) AS i(signal_id, workflow, error, retry_ms)
    ORDER BY signal_id, workflow
  ), made AS (
    DELETE FROM ${eventStart} e USING item i
    WHERE e.signal_id = i.signal_id AND e.workflow = i.workflow AND i.retry_ms IS NULL
  )
  UPDATE ${eventStart} e
  SET error = i.error::json, due_at = ${clock.now} + i.retry_ms * interval '1 millisecond'
  FROM item i WHERE e.signal_id = i.signal_id AND e.workflow = i.workflow AND i.retry_ms IS NOT NULL`,
};

export function settledValues(results: readonly EventStartResult[]): unknown[] {
  return [
    plainArray(results.map(({ eventId }) => eventId)),
    JSON.stringify(results.map(({ workflow }) => workflow)),
    jsonColumn(results.map(({ failure }) => failure?.error)),
    plainArray(results.map(({ failure }) => failure?.retryInMs)),
  ];
}
