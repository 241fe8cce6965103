import {
  CLAIM_COLUMNS,
  claimOfTask,
  EXPIRED_OF_BEGUN,
  INPUT_IS_SMALL,
  INPUT_ROW,
} from './claimed-clauses.js';
import { columns, integer, json, orNull, parsed } from './columns.js';
import { holdersOf, holdersOfClaims, withHolders } from './limit-holders.js';
import type { TenantTables } from './statement.js';

/** Replaces the task's number in a row that describes a key. */
const KEY_ROW = -2;

/** What a claim says of a key. */
export interface KeyState {
  readonly claimed: number;
  readonly more: boolean | null;
  readonly isLocked: boolean;
  readonly hasTotal: boolean;
  readonly tokenInMs: number | null;
  readonly tokenEveryUs: number | null;
  readonly burst: number | null;
}

/** The state of a key is one column, because each column costs something in the rows of all claims. */
export const LIMITED = columns({
  ...CLAIM_COLUMNS,
  input: orNull(json),
  /** The place of the key in the request, from 1 on. */
  turn: orNull(integer),
  key: parsed<KeyState | null>(null),
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

/** The CTE with the free slots of the limits in `asked` that have a total, whose rows it locks, each with a number. */
export function totalClause(tables: TenantTables): string {
  return `total AS MATERIALIZED (
    SELECT n.name, n.no, n.total - h.held AS free, h.*
    FROM (SELECT name, total, min(turn) AS no FROM asked WHERE total IS NOT NULL GROUP BY 1, 2 ORDER BY 1) n
      CROSS JOIN LATERAL (${lockedSlot(tables, 'n.name')}) s
      CROSS JOIN LATERAL ${holdersOf(tables, { isDoubtful: isDoubtful('n.total') })} h
  )`;
}

/** The CTE with the claims that count for each total. */
export function takenTotalClause(tables: TenantTables): string {
  return `taken_total AS MATERIALIZED (
    SELECT c.total_no, ${holdersOfClaims(tables)} FROM claimed c WHERE c.total_no IS NOT NULL GROUP BY 1
  )`;
}

/** The CTE that writes the claims of `taken_total` into the rows of the totals. */
export function totalSlotClause(tables: TenantTables): string {
  return `total_slot AS (
    UPDATE ${tables.limitSlot} s SET ${withHolders('t', 'n')}
    FROM taken_total n JOIN total t ON t.no = n.total_no
    WHERE s.limit_key = ANY (ARRAY[t.name])
  )`;
}

/**
 * The rows of the claims, of their inputs, of the executions that must not begin any more, and of the keys.
 */
export function limitedResult(tables: TenantTables, results: LimitedResult): string {
  const { joined = '' } = results;
  return `SELECT ${LIMITED.selectSome({ ...claimOfTask(tables), turn: 'turn::integer' })} FROM claimed
  UNION ALL
  SELECT ${LIMITED.selectSome({ executionId: 'id', taskNo: String(INPUT_ROW), input: 'input' })}
  FROM begun WHERE ${INPUT_IS_SMALL}
  UNION ALL
  SELECT ${LIMITED.selectSome(EXPIRED_OF_BEGUN)} FROM begun WHERE started_at IS NULL
  UNION ALL
  SELECT ${LIMITED.selectSome({
    taskNo: String(KEY_ROW),
    turn: 'a.turn::integer',
    key: `json_build_object(${Object.entries(keyState(tables, results))
      .map(([member, expression]) => `'${member}', ${expression}`)
      .join(', ')})`,
  })}
  FROM asked a LEFT JOIN room r ON r.turn = a.turn LEFT JOIN taken n ON n.turn = a.turn${joined}
    LEFT JOIN (
      SELECT c.turn, count(*) AS found, bool_or(c.is_cut) AS is_cut FROM candidate c GROUP BY 1
    ) c ON c.turn = a.turn`;
}

interface LimitedResult {
  /** The join whose `taken` counts the tokens that were taken of a key's row. */
  readonly tokensOf: string;
  /** Joins that it needs, beside `n` with what was taken of each key. */
  readonly joined?: string;
  /** A condition: more slots of the key `r` may be free than it has found. Default: none */
  readonly mayBeFree?: string | undefined;
}

function keyState(
  tables: TenantTables,
  { tokensOf, mayBeFree = 'false' }: LimitedResult,
): Record<keyof KeyState, string> {
  const taken = 'coalesce(n.taken, 0)';
  const tokens = `coalesce(${tokensOf}.taken, 0)`;
  return {
    claimed: taken,
    more: `(${taken} < r.open OR ${mayBeFree}) AND ${taken} >= least(r.open, r.share) OR ${taken} < c.found OR c.is_cut AND ${taken} < least(r.open, r.share)`,
    isLocked: 'r.turn IS NULL',
    hasTotal: 'a.total IS NOT NULL',
    tokenEveryUs: '(extract(epoch FROM r.every) * 1000000)::bigint',
    burst: 'r.burst',
    tokenInMs: `CASE WHEN ${tokens} >= r.tokens
      THEN greatest(0, ceil(extract(epoch FROM r.first + ${tokens} * r.every - ${tables.clock.now}) * 1000))::bigint END`,
  };
}
