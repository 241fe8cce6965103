import { jsonColumn, plainArray } from './encoding.js';
import { NO_COLUMNS, taskOf, type Statement } from './statement.js';
import type { ProgressReport } from '../../port/index.js';

/**
 * Replaces the progress of tasks by their claim tokens. The task's row is not locked, so an outcome never waits for
 * progress. A process that loses its claim at the same moment may still replace the value of the next one, which reports
 * again within a second of work: progress is advisory. The rows are written in the lock order, so that two such processes
 * don't block each other.
 */
export const writeProgress: Statement = {
  name: 'write_progress',
  columns: NO_COLUMNS,
  text: (
    tables,
  ) => `INSERT INTO ${tables.progress} AS p (execution_id, task_no, item_no, value, updated_at)
  SELECT i.execution_id, i.task_no, i.item_no, i.value, ${tables.clock.now}
  FROM ROWS FROM (
    unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]), json_array_elements($5::json)
  ) AS i(execution_id, task_no, item_no, claim_token, value)
    JOIN ${tables.task} t ON ${taskOf('i')} AND t.claim_token = i.claim_token
  ORDER BY i.execution_id, i.task_no, i.item_no DESC
  ON CONFLICT (execution_id, task_no, item_no) DO UPDATE
    SET value = excluded.value, updated_at = excluded.updated_at`,
};

export function progressValues(reports: readonly ProgressReport[]): unknown[] {
  return [
    plainArray(reports.map(({ executionId }) => executionId)),
    plainArray(reports.map(({ taskNo }) => taskNo)),
    plainArray(reports.map(({ itemNo }) => itemNo)),
    plainArray(reports.map(({ token }) => token)),
    jsonColumn(reports.map(({ value }) => value)),
  ];
}
