import { columns, integer, orNull, text } from './columns.js';
import { plainArray } from './encoding.js';
import { LIMITED_CLAIMABLE } from './limit-candidates.js';
import { holdersOf } from './limit-holders.js';
import type { Statement } from './statement.js';
import { isMapLimit, MAP_LIMIT_PREFIX } from '../../../workflow/map-limit.js';
import { FAIR_LIMIT, type CheckedNumbers, type LimitTable } from '../../../workflow/limit.js';
import type { PrunedKeys } from '../../port/index.js';

/** Number of rows that one statement looks at. */
const PAGE = 500;

const PRUNED = columns({ deleted: integer, last: orNull(text) });

/** A condition: no number is set for the key of row `s`, and none of its holders began in the last $7 milliseconds. */
const UNUSED = (now: string): string =>
  `s.concurrency IS NULL AND s.rate IS NULL AND s.weight IS NULL
        AND NOT EXISTS (SELECT FROM unnest(s.h_at) AS h(at) WHERE h.at > ${now} - $7::bigint * interval '1 ms')`;

/**
 * Deletes a page of the rows of keys that are not used: no task holds a slot or waits for one, and all tokens of the rate
 * are back. The next claim of such a key inserts a row that is the same.
 *
 * **Exact.** The row is locked, so no claim adds a holder during the comparison. Its holders are compared with the rows of
 * their tasks as a claim compares them ({@link holdersOf}), those of a strict key until they have ended. A claim that finds no
 * row takes nothing, and comes back after it has inserted one.
 *
 * **Rate.** A row with fewer tokens than the burst stays. How long it takes until all are back follows from the numbers of
 * the code, so a process leaves the keys of limits that it does not know alone. Limits of maps have no rate.
 *
 * Rows of totals, whose keys have no separator, stay: there are as many as limits.
 */
export const pruneLimitKeys: Statement<{ deleted: number; last: string | null }> = {
  name: 'prune_limit_keys',
  columns: PRUNED,
  text: (tables) => {
    const { clock, limit, limitSlot, task } = tables;
    return `WITH known AS MATERIALIZED (
    SELECT a.name, a.is_strict, CASE WHEN coalesce(l.rate, a.rate) IS NULL THEN interval '0'
      ELSE coalesce(l.burst, a.burst) * ceil(coalesce(l.rate_ms, a.rate_ms) * 1000.0 / coalesce(l.rate, a.rate))::bigint
             * interval '1 microsecond' END AS refill
    FROM ROWS FROM (
      json_array_elements_text($2::json), unnest($3::integer[]), unnest($4::bigint[]), unnest($5::integer[]),
      unnest($8::boolean[])
    ) AS a(name, rate, rate_ms, burst, is_strict) LEFT JOIN LATERAL (
      SELECT * FROM ${limit} l WHERE l.name = ANY (ARRAY[a.name]) AND l.rate IS NOT NULL LIMIT 1
    ) l ON true
  ), page AS MATERIALIZED (
    SELECT s.limit_key FROM ${limitSlot} s
    WHERE s.limit_key > $1::text COLLATE "C" AND strpos(s.limit_key, chr(31)) > 0
    ORDER BY s.limit_key LIMIT ${PAGE}
  ), unused AS MATERIALIZED (
    SELECT s.limit_key FROM page p CROSS JOIN LATERAL (
      SELECT CASE WHEN starts_with(p.limit_key, $6::text) THEN interval '0' ELSE min(k.refill) END AS refill,
             bool_or(k.is_strict) IS TRUE AS is_strict
      FROM known k WHERE k.name = split_part(p.limit_key, chr(31), 1)
    ) k CROSS JOIN LATERAL (
      SELECT * FROM ${limitSlot} s
      WHERE s.limit_key = ANY (ARRAY[p.limit_key]) AND ${UNUSED(clock.statement)}
        AND (s.next_token_at IS NULL OR s.next_token_at <= ${clock.statement} - k.refill)
      FOR UPDATE SKIP LOCKED
    ) s CROSS JOIN LATERAL ${holdersOf(tables, { isDoubtful: 'true', untilEnd: 'k.is_strict' })} h
    WHERE k.refill IS NOT NULL AND h.held = 0 AND NOT EXISTS (
      SELECT FROM ${task} t WHERE t.limit_key = s.limit_key AND ${LIMITED_CLAIMABLE}
    )
  ), deleted AS (
    DELETE FROM ${limitSlot} s USING unused u WHERE s.limit_key = ANY (ARRAY[u.limit_key])
    RETURNING s.limit_key
  )
  SELECT ${PRUNED.select({
    deleted: '(SELECT count(*) FROM deleted)::integer',
    last: `(SELECT max(limit_key) FROM page HAVING count(*) = ${PAGE})`,
  })}`;
  },
};

export function pruneValues(limits: LimitTable, idleMs: number, after: string | null): unknown[] {
  const turns: [string, CheckedNumbers] = [FAIR_LIMIT, {}];
  const known = [...limits, turns].filter(([name]) => !isMapLimit(name));
  return [
    after ?? '',
    JSON.stringify(known.map(([name]) => name)),
    plainArray(known.map(([, { rate }]) => rate?.limit)),
    plainArray(known.map(([, { rate }]) => rate?.perMs)),
    plainArray(known.map(([, { rate }]) => rate?.burst)),
    MAP_LIMIT_PREFIX,
    idleMs,
    plainArray(known.map(([, { isStrict }]) => isStrict === true)),
  ];
}

export function prunedKeysOf([row]: readonly PrunedKeys[]): PrunedKeys {
  return row ?? { deleted: 0, last: null };
}
