import { batchClause } from './claim-batch.js';
import { executionIsFree } from './claimable-tasks.js';
import { claimedClauses } from './claimed-clauses.js';
import { leaseClause } from './lease-clause.js';
import { candidatesOf } from './limit-candidates.js';
import { holdersOf, holdersOfClaims, withHolders } from './limit-holders.js';
import { intervalOf, nearerTokenClause, selectTokens } from './limit-tokens.js';
import {
  ASKED_COLUMNS,
  isDoubtful,
  joinedLimit,
  LIMITED,
  limitedResult,
  lockedSlot,
  rateOf,
  takenTotalClause,
  totalClause,
  totalSlotClause,
  type LimitedRow,
} from './limited-clauses.js';
import type { Statement, TenantTables } from './statement.js';
import { UNLIMITED } from '../../../workflow/limit.js';

/**
 * Claims due items of maps that have a `concurrency` beside the limit of their items. Their stored key joins both keys, so the
 * items of a map that is full are apart from other tasks of the same key, and hide none of them in the index.
 *
 * It is `claimLimited` with the slots of two rows: those of the limit's key (`slot_key`), which tasks that are claimed by
 * `claimLimited` take too, and those of the map. Both rows are locked, and read anew under the lock.
 *
 * **Ranks.** All candidates have one order: in rounds by the weight of the limit's key, and in a round by the turn of the joined
 * key. An item is taken if its rank is within the room of its key, of its map and of the total. The ranks count candidates
 * that another row refuses, so a statement may take too few. The first of all has the first rank everywhere, so each statement
 * with a candidate takes one, and reports that there may be more.
 *
 * **Strict** limits do not have maps with a concurrency: the boot refuses them. An item of a definition that is older than the
 * order of its limit holds its slot only while it runs.
 */
export const claimLimitedItems: Statement<LimitedRow> = {
  name: 'claim_limited_items',
  columns: LIMITED,
  text: (tables) => limitedItemsText(tables, ''),
};

/** `claimLimitedItems` that skips items whose execution another session has locked, as `claimTasksPastLocks` does. */
export const claimLimitedItemsPastLocks: Statement<LimitedRow> = {
  name: 'claim_limited_items_past_locks',
  columns: LIMITED,
  text: (tables) => limitedItemsText(tables, executionIsFree(tables)),
};

/** The room of a joined key in all rows whose slots its items take. */
const OPEN = 'least(k.free, k.tokens, k.total_free, m.free)';

function limitedItemsText(tables: TenantTables, isFree: string): string {
  const { clock } = tables;
  return `WITH asked AS MATERIALIZED (
    SELECT a.definitions::bigint[] AS definitions, a.limit_key, a.name, a.turn, a.slot_key, a.map_key, a.map_slots,
           coalesce(l.concurrency, a.concurrency) AS concurrency, coalesce(l.total, a.total) AS total, ${rateOf('l', 'a')}
    FROM ROWS FROM (
      ${ASKED_COLUMNS},
      json_array_elements_text($21::json), json_array_elements_text($22::json), unnest($23::integer[])
    ) WITH ORDINALITY AS a(definitions, limit_key, name, concurrency, total, rate, rate_ms, burst, slot_key, map_key, map_slots, turn)
      ${joinedLimit(tables)}
  ), ${totalClause(tables)}, key AS MATERIALIZED (
    SELECT a.slot_key, t.no AS total_no, t.free AS total_free, greatest(1, coalesce(s.weight, 1)) AS weight,
           c.concurrency, c.concurrency - h.held AS free, r.rate, r.burst,
           ${intervalOf('r.rate', 'r.rate_ms')} AS every, s.next_token_at, ${clock.now} AS now, h.*
    FROM (SELECT DISTINCT ON (slot_key) * FROM asked ORDER BY slot_key) a
      LEFT JOIN total t ON t.name = a.name
      CROSS JOIN LATERAL (${lockedSlot(tables, 'a.slot_key')}) s
      CROSS JOIN LATERAL (SELECT coalesce(s.concurrency, a.concurrency) AS concurrency) c
      CROSS JOIN LATERAL (SELECT ${rateOf('s', 'a')}) r
      CROSS JOIN LATERAL ${holdersOf(tables, { isDoubtful: isDoubtful('c.concurrency') })} h
    WHERE a.total IS NULL OR t.free IS NOT NULL
  ), map AS MATERIALIZED (
    SELECT a.map_key, a.map_slots - h.held AS free, h.*
    FROM (SELECT DISTINCT map_key, map_slots FROM asked ORDER BY 1) a
      CROSS JOIN LATERAL (${lockedSlot(tables, 'a.map_key')}) s
      CROSS JOIN LATERAL ${holdersOf(tables, { isDoubtful: isDoubtful('a.map_slots') })} h
  ), token AS MATERIALIZED (
    ${selectTokens('k.now')}
  ), ${nearerTokenClause(tables, 'token', 'slot_key')}, room AS MATERIALIZED (
    SELECT a.definitions, a.limit_key, a.turn, a.slot_key, a.map_key, k.weight, k.tokens, k.free AS key_free, k.total_no,
           k.total_free, m.free AS map_free, k.rate, k.burst, k.every, k.first, ${OPEN} AS open,
           ceil($2::integer * k.weight::numeric / sum(k.weight) FILTER (WHERE ${OPEN} > 0) OVER ())::integer AS share
    FROM asked a JOIN token k ON k.slot_key = a.slot_key JOIN map m ON m.map_key = a.map_key
  ), candidate AS MATERIALIZED (
    SELECT r.slot_key, r.map_key, r.turn, r.weight, r.map_free, r.total_no, r.total_free,
           least(r.key_free, r.tokens) AS key_free, c.execution_id, c.task_no, c.item_no, c.is_cut, c.place
    FROM room r CROSS JOIN LATERAL ${candidatesOf(tables, isFree)} c
  ), ranked AS MATERIALIZED (
    SELECT c.*, row_number() OVER (ORDER BY (c.place_of_key - 1) / c.weight, c.place, c.turn) AS rank
    FROM (
      SELECT c.*, row_number() OVER (PARTITION BY c.slot_key ORDER BY c.place, c.turn) AS place_of_key FROM candidate c
    ) c
  ), chosen AS MATERIALIZED (
    SELECT c.turn, c.total_no, c.slot_key, c.map_key, c.execution_id, c.task_no, c.item_no
    FROM (
      SELECT c.*, row_number() OVER (PARTITION BY c.slot_key ORDER BY c.rank) AS of_key,
             row_number() OVER (PARTITION BY c.map_key ORDER BY c.rank) AS of_map,
             row_number() OVER (PARTITION BY c.total_no ORDER BY c.rank) AS of_total
      FROM ranked c
    ) c
    WHERE c.of_key <= c.key_free AND c.of_map <= c.map_free AND (c.total_free IS NULL OR c.of_total <= c.total_free)
    ORDER BY c.rank LIMIT $2::integer
  ), ${claimedClauses(tables, { instance: '$16', from: 'chosen c', returning: ', c.turn, c.total_no, c.slot_key, c.map_key' })},
  taken AS MATERIALIZED (
    SELECT c.turn, count(*)::integer AS taken FROM claimed c GROUP BY 1
  ), taken_key AS MATERIALIZED (
    SELECT c.slot_key, count(*)::integer AS taken, ${holdersOfClaims(tables)} FROM claimed c GROUP BY 1
  ), taken_map AS MATERIALIZED (
    SELECT c.map_key, ${holdersOfClaims(tables)} FROM claimed c GROUP BY 1
  ), ${takenTotalClause(tables)}, ${leaseClause(tables, 16)}, slot AS (
    UPDATE ${tables.limitSlot} s
    SET ${withHolders('k', 'n', `k.concurrency < ${UNLIMITED}`)},
        next_token_at = CASE WHEN k.rate IS NULL THEN s.next_token_at ELSE k.first + n.taken * k.every END
    FROM taken_key n JOIN token k ON k.slot_key = n.slot_key
    WHERE s.limit_key = ANY (ARRAY[n.slot_key])
  ), map_slot AS (
    UPDATE ${tables.limitSlot} s SET ${withHolders('m', 'n')}
    FROM taken_map n JOIN map m ON m.map_key = n.map_key
    WHERE s.limit_key = ANY (ARRAY[n.map_key])
  ), ${totalSlotClause(tables)}, ${batchClause(tables, { instance: '$16', no: '$5', from: 'claimed c' })}
  ${limitedResult(tables, {
    tokensOf: 'k',
    joined: `
    LEFT JOIN taken_key k ON k.slot_key = a.slot_key`,
  })}`;
}
