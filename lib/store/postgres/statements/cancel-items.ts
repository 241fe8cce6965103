import { boolean, columns, integer } from './columns.js';
import { cancelTasks, IS_OPEN } from './open-tasks.js';
import { taskOf, type Statement, type TenantTables } from './statement.js';
import type { CancelledItems, ItemCancel } from '../../port/index.js';

/** Maximum number of items that one statement cancels, so that outcomes of the map wait for it only for a moment. */
const MAX_ITEMS = 5_000;

const CANCELLED = columns({
  applied: boolean,
  cancelled: integer,
  last: integer,
  hasMore: boolean,
  wasRunning: boolean,
  isDue: boolean,
});

/**
 * Cancels items of a map that have not ended, a page at a time, and counts them down. Items are locked before their map,
 * as outcomes lock them. The condition on the map is evaluated under its lock, before an item changes.
 *
 * Locked items are skipped: their outcomes may be under way. The caller comes back for those that are still open then.
 */
export const cancelItems: Statement<CancelledItems> = {
  name: 'cancel_items',
  columns: CANCELLED,
  text: (tables: TenantTables) => `WITH locked AS MATERIALIZED (
    SELECT t.execution_id, t.task_no, t.item_no, t.status FROM ${tables.task} t
    WHERE t.execution_id = $1::uuid AND t.task_no = $2::integer AND t.item_no > 0
      AND t.item_no < $5::integer AND ${IS_OPEN}
    ORDER BY t.item_no DESC LIMIT ${MAX_ITEMS} FOR NO KEY UPDATE SKIP LOCKED
  ), map AS MATERIALIZED (
    SELECT t.execution_id, t.task_no, t.item_no FROM (SELECT count(*) FROM locked) items_first, ${tables.task} t
    WHERE t.execution_id = $1::uuid AND t.task_no = $2::integer AND t.item_no = 0 AND t.generation = $4::integer
      AND CASE WHEN $3::bigint IS NULL THEN t.unmet_dependencies > 0 AND t.status || '' IN ('Waiting', 'Running', 'Ready')
               ELSE t.claim_token = $3::bigint END
    FOR NO KEY UPDATE OF t
  ), ${cancelTasks(tables, 'EXISTS (SELECT FROM map)')}, counted AS (
    UPDATE ${tables.task} t
    SET pending_dependencies = t.pending_dependencies - c.count, unmet_dependencies = t.unmet_dependencies + c.count,
        status = CASE WHEN t.pending_dependencies = c.count THEN 'Ready' ELSE t.status END,
        run_at = CASE WHEN t.pending_dependencies = c.count THEN ${tables.clock.now} ELSE t.run_at END
    FROM (SELECT $1::uuid AS execution_id, $2::integer AS task_no, 0 AS item_no, count(*)::integer AS count FROM cancelled) c
    WHERE ${taskOf('c')} AND c.count > 0
    RETURNING t.pending_dependencies = 0 AS is_due
  )
  SELECT ${CANCELLED.select({
    applied: 'EXISTS (SELECT FROM map)',
    cancelled: '(SELECT count(*) FROM cancelled)::integer',
    last: 'coalesce((SELECT min(item_no) FROM locked), 0)',
    hasMore: `(SELECT count(*) FROM (
      SELECT FROM ${tables.task} t
      WHERE t.execution_id = $1::uuid AND t.task_no = $2::integer AND t.item_no > 0
        AND t.item_no < $5::integer AND ${IS_OPEN} LIMIT ${MAX_ITEMS} + 1) o) > (SELECT count(*) FROM locked)`,
    wasRunning: `EXISTS (SELECT FROM cancelled WHERE was = 'Running')`,
    isDue: 'coalesce((SELECT is_due FROM counted), false)',
  })}`,
};

export function cancelItemsValues(cancel: ItemCancel): unknown[] {
  const { executionId, taskNo, token, generation, below } = cancel;
  return [executionId, taskNo, token, generation, below];
}
