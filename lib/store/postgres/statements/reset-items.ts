import { plainArray } from './encoding.js';
import { resetSteps } from './reset-steps.js';
import { NO_COLUMNS, taskOf, type Statement } from './statement.js';
import type { ExecutionReset, ItemReset, ResetTask } from '../../port/index.js';

/** A condition: task `t` is an item of the map in row `m`. */
const ITEM_OF_MAP =
  't.execution_id = ANY (ARRAY[m.execution_id]) AND t.task_no = m.task_no AND t.item_no > 0';

/**
 * Resets the items of maps that a manual retry has reset, in the same transaction. The rows are locked.
 *
 * - `discard`: the items are deleted, and the map makes them anew. Its input has changed.
 * - `unfinished`: items that did not complete run again. The others keep their outcomes.
 * - `all`: all items run again. Those that had completed lose their steps.
 *
 * Items of an execution with an admission are not due before it has a slot again.
 *
 * A map with all items stored waits for those that run again, or is joined anew if no item runs again. One that had stored
 * only a part continues storing, so its counter stays one higher. Former outcomes of items are not stored as events: there
 * may be a million.
 */
export const resetItems: Statement = {
  name: 'reset_items',
  columns: NO_COLUMNS,
  text: (tables) => `WITH map AS MATERIALIZED (
    SELECT m.execution_id, m.task_no, m.items, m.keeps_steps, t.generation
    FROM (
      SELECT *, 0 AS item_no
      FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::boolean[]) AS m(execution_id, task_no, items, keeps_steps)
    ) m JOIN ${tables.task} t ON ${taskOf('m')}
  ), discarded AS (
    DELETE FROM ${tables.task} t USING map m WHERE m.items = 'discard' AND ${ITEM_OF_MAP}
  ), discarded_step AS (
    DELETE FROM ${tables.step} s USING map m
    WHERE m.items = 'discard' AND s.execution_id = ANY (ARRAY[m.execution_id]) AND s.task_no = m.task_no AND s.item_no > 0
  ), chosen AS MATERIALIZED (
    SELECT t.execution_id, t.task_no, t.item_no, m.generation, m.keeps_steps AND t.status || '' <> 'Completed' AS keeps_steps
    FROM map m JOIN ${tables.task} t ON ${ITEM_OF_MAP}
    WHERE m.items = 'all' OR m.items = 'unfinished' AND t.status || '' <> 'Completed'
  ), item AS (
    UPDATE ${tables.task} t
    SET status = 'Ready', run_at = (SELECT CASE WHEN x.admission_key IS NULL THEN ${tables.clock.now} END
                                    FROM ${tables.execution} x WHERE x.id = c.execution_id), generation = c.generation,
        has_steps = t.has_steps AND c.keeps_steps, paused = false, attempt = 0, attempts = NULL, recovery_attempts = 0,
        output = NULL, error = NULL, deferred_since = NULL, started_at = NULL, completed_at = NULL, owner = NULL
    FROM chosen c WHERE ${taskOf('c')}
  ), ${resetSteps(tables, 'chosen')}
  UPDATE ${tables.task} t
  SET item_count = CASE WHEN n.items <> 'discard' THEN t.item_count END,
      unmet_dependencies = CASE WHEN n.items = 'discard' THEN t.unmet_dependencies ELSE 0 END,
      pending_dependencies = CASE WHEN n.items = 'discard' THEN t.pending_dependencies
                                  ELSE n.count + (t.item_count < 0)::integer END,
      status = CASE WHEN n.items <> 'discard' AND t.item_count > 0 AND n.count > 0 THEN 'Waiting' ELSE t.status END,
      run_at = CASE WHEN n.items <> 'discard' AND t.item_count > 0 AND n.count > 0 THEN NULL ELSE t.run_at END
  FROM (
    SELECT m.execution_id, m.task_no, 0 AS item_no, m.items, coalesce(c.count, 0)::integer AS count
    FROM map m LEFT JOIN (SELECT execution_id, task_no, count(*) FROM chosen GROUP BY 1, 2) c
      ON c.execution_id = m.execution_id AND c.task_no = m.task_no
  ) n
  WHERE ${taskOf('n')} AND t.item_count IS NOT NULL`,
};

/** The parameters; undefined if no task that is reset has items. */
export function resetItemsValues(resets: readonly ExecutionReset[]): unknown[] | undefined {
  const maps = resets.flatMap(({ id, tasks }) =>
    tasks
      .filter((task): task is ResetTask & { items: ItemReset } => task.items !== undefined)
      .map((task) => ({ id, ...task })),
  );
  if (maps.length === 0) return undefined;
  return [
    plainArray(maps.map(({ id }) => id)),
    plainArray(maps.map(({ taskNo }) => taskNo)),
    plainArray(maps.map(({ items }) => items)),
    plainArray(maps.map(({ keepsSteps }) => keepsSteps)),
  ];
}
