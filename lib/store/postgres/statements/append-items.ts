import { boolean, columns } from './columns.js';
import { EXPANSION_LOCK } from './expansion-lock.js';
import type { Statement, TenantTables } from './statement.js';
import type { AppendReply, ItemAppend } from '../../port/index.js';

const APPENDED = columns({ hasUnmet: boolean, paused: boolean, isDue: boolean });

/** The number of items that the map has to wait for after the append. */
const PENDING = `(CASE WHEN $5::integer = 0 THEN 0 ELSE t.pending_dependencies END + $6::integer
        + CASE WHEN $8::boolean = ($5::integer = 0) THEN 0 WHEN $8::boolean THEN -1 ELSE 1 END)`;

/**
 * Appends items to a map, fenced by its claim. The last append ends the claim, and the map waits for its items.
 *
 * **Counter.** While more items may come, the map's counter is one higher than the number of its open items. So it can't
 * reach 0 before the last append, whichever items have ended, and there is no moment in which the map waits for items that
 * no process will store.
 *
 * **Once.** `item_count` is the number of stored items, negative until the last append. The statement compares it in the
 * row that it updates. So an append that is sent again, or by a process that has lost the claim, stores nothing.
 *
 * **Control.** Cancel, pause and resume change the rows of their snapshot. The advisory lock keeps an append from
 * committing between their snapshot and their change of the map's row: its items would be left out. New items are paused
 * if the map is.
 */
export const appendItems: Statement<AppendReply> = {
  name: 'append_items',
  columns: APPENDED,
  text: (tables: TenantTables) => `WITH ticket AS MATERIALIZED (
    SELECT ${EXPANSION_LOCK('$1')} AS taken
  ), map AS (
    UPDATE ${tables.task} t
    SET item_count = CASE WHEN $8::boolean THEN 1 ELSE -1 END * ($5::integer + $6::integer),
        pending_dependencies = ${PENDING},
        unmet_dependencies = CASE WHEN $5::integer = 0 THEN 0 ELSE t.unmet_dependencies END,
        status = CASE WHEN NOT $8::boolean THEN t.status WHEN ${PENDING} > 0 THEN 'Waiting' ELSE 'Ready' END,
        run_at = CASE WHEN $8::boolean AND ${PENDING} = 0 THEN ${tables.clock.now} END,
        claim_token = t.claim_token + $8::boolean::integer,
        owner = CASE WHEN NOT $8::boolean THEN t.owner END,
        attempt = 0, recovery_attempts = 0
    FROM ticket
    WHERE t.execution_id = $1::uuid AND t.task_no = $2::integer AND t.item_no = $3::integer
      AND t.claim_token = $4::bigint AND coalesce(t.item_count, 0) = -$5::integer
    RETURNING t.execution_id, t.task_no, t.definition_id, t.priority, t.paused, t.generation,
              t.unmet_dependencies, t.pending_dependencies
  ), item AS (
    INSERT INTO ${tables.task} (execution_id, task_no, item_no, definition_id, status, priority, run_at, paused, generation,
                                limit_key, item)
    SELECT m.execution_id, m.task_no, $5::integer + i.ord::integer, m.definition_id, 'Ready', m.priority,
           ${tables.clock.transaction}, m.paused, m.generation, coalesce(i.limit_key, $9::text), i.item
    FROM map m CROSS JOIN LATERAL ROWS FROM (
      json_array_elements($7::json), json_array_elements_text($10::json)
    ) WITH ORDINALITY AS i(item, limit_key, ord)
  )
  SELECT ${APPENDED.select({
    hasUnmet: 'm.unmet_dependencies > 0',
    paused: 'm.paused',
    isDue: 'm.pending_dependencies = 0',
  })} FROM map m`,
};

export function appendValues(append: ItemAppend): unknown[] {
  const { executionId, taskNo, itemNo, token, stored, items, isLast, limitKeys } = append;
  const list = `[${items.join(',')}]`;
  const isShared = limitKeys === null || typeof limitKeys === 'string';
  const keys = isShared ? [limitKeys, null] : [null, JSON.stringify(limitKeys)];
  return [executionId, taskNo, itemNo, token, stored, items.length, list, isLast, ...keys];
}
