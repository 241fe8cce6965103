import {
  CLAIM_COLUMNS,
  claimOfTask,
  EXPIRED_OF_BEGUN,
  INPUT_IS_SMALL,
  INPUT_ROW,
} from './claimed-clauses.js';
import { boolean, columns, integer, json, long, orNull, text } from './columns.js';
import { holdersOf, withHolders } from './limit-holders.js';
import type { TenantTables } from './statement.js';

/** Replaces the task's number in a row that describes a key. */
export const KEY_ROW = -2;

export const LIMITED = columns({
  ...CLAIM_COLUMNS,
  input: orNull(json),
  limitKey: orNull(text),
  claimed: orNull(integer),
  more: orNull(boolean),
  isLocked: orNull(boolean),
  hasTotal: orNull(boolean),
  tokenInMs: orNull(long),
  tokenEveryUs: orNull(long),
  burst: orNull(integer),
});
export type LimitedRow = ReturnType<typeof LIMITED.decode>[number];

/** A claim that finds a longer list than this part of the slots of a key compares it with the rows of the holders. */
const DOUBTFUL_PART = 2;

/** A condition: the list of holders in slot `s` is long enough to be compared with their rows. */
export function isDoubtful(slots: string): string {
  return `${DOUBTFUL_PART} * cardinality(s.h_execution)::bigint >= ${slots}`;
}

/** The columns of the keys that are asked for, as parts of ROWS FROM: the parameters 1, and 6 to 12. */
export const ASKED_COLUMNS = `json_array_elements_text($1::json), json_array_elements_text($6::json), json_array_elements_text($7::json), unnest($8::integer[]),
      unnest($9::integer[]), unnest($10::integer[]), unnest($11::bigint[]), unnest($12::integer[])`;

/** Joins to the key `a` that is asked for the row `l` with the numbers of its limit that were set. */
export function joinedLimit(tables: TenantTables): string {
  return `LEFT JOIN LATERAL (
        SELECT * FROM ${tables.limit} l WHERE l.name = ANY (ARRAY[a.name]) LIMIT 1
      ) l ON true`;
}

/** The rate that one row sets, all of it, or else the rate of the other row. */
export function rateOf(set: string, otherwise: string): string {
  return ['rate', 'rate_ms', 'burst']
    .map((column) => {
      const own = `${set}.${column}`;
      return `CASE WHEN ${set}.rate IS NULL THEN ${otherwise}.${column} ELSE ${own} END AS ${column}`;
    })
    .join(', ');
}

export function lockedSlot(tables: TenantTables, key: string): string {
  return `SELECT * FROM ${tables.limitSlot} s WHERE s.limit_key = ANY (ARRAY[${key}])
        FOR NO KEY UPDATE SKIP LOCKED`;
}

/** The CTE with the free slots of the limits in `asked` that have a total, whose rows it locks. */
export function totalClause(tables: TenantTables): string {
  return `total AS MATERIALIZED (
    SELECT n.name, n.total - h.held AS free, h.*
    FROM (SELECT DISTINCT name, total FROM asked WHERE total IS NOT NULL ORDER BY 1) n
      CROSS JOIN LATERAL (${lockedSlot(tables, 'n.name')}) s
      CROSS JOIN LATERAL ${holdersOf(tables, { isDoubtful: isDoubtful('n.total') })} h
  )`;
}

/** The CTE that writes the claims of `taken_total` into the rows of the totals. */
export function totalSlotClause(tables: TenantTables): string {
  return `total_slot AS (
    UPDATE ${tables.limitSlot} s SET ${withHolders('t', 'n')}
    FROM taken_total n JOIN total t ON t.name = n.name
    WHERE s.limit_key = ANY (ARRAY[n.name])
  )`;
}

/**
 * The rows of the claims, of their inputs, of the executions that must not begin any more, and of the keys.
 *
 * @param tokensOf - the join whose `taken` counts the tokens that were taken of a key's row
 * @param joined - joins that it needs, beside `n` with what was taken of each key
 */
export function limitedResult(tables: TenantTables, tokensOf: string, joined = ''): string {
  return `SELECT ${LIMITED.selectSome({ ...claimOfTask(tables), limitKey: 'limit_key' })} FROM claimed
  UNION ALL
  SELECT ${LIMITED.selectSome({ executionId: 'id', taskNo: String(INPUT_ROW), input: 'input' })}
  FROM begun WHERE ${INPUT_IS_SMALL}
  UNION ALL
  SELECT ${LIMITED.selectSome(EXPIRED_OF_BEGUN)} FROM begun WHERE started_at IS NULL
  UNION ALL
  SELECT ${LIMITED.selectSome({
    taskNo: String(KEY_ROW),
    limitKey: 'a.limit_key',
    claimed: 'coalesce(n.taken, 0)',
    more: 'coalesce(n.taken, 0) < r.open AND coalesce(n.taken, 0) >= r.share OR coalesce(n.taken, 0) < c.found OR c.is_cut AND coalesce(n.taken, 0) < least(r.open, r.share)',
    isLocked: 'r.limit_key IS NULL',
    hasTotal: 'a.total IS NOT NULL',
    tokenEveryUs: '(extract(epoch FROM r.every) * 1000000)::bigint',
    burst: 'r.burst',
    tokenInMs: `CASE WHEN coalesce(${tokensOf}.taken, 0) >= r.tokens
      THEN greatest(0, ceil(extract(epoch FROM r.first + coalesce(${tokensOf}.taken, 0) * r.every - ${tables.clock.now}) * 1000))::bigint END`,
  })}
  FROM asked a LEFT JOIN room r ON r.limit_key = a.limit_key LEFT JOIN taken n ON n.limit_key = a.limit_key${joined}
    LEFT JOIN (
      SELECT c.limit_key, count(*) AS found, bool_or(c.is_cut) AS is_cut FROM candidate c GROUP BY 1
    ) c ON c.limit_key = a.limit_key`;
}
