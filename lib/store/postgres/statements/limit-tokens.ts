import type { TenantTables } from './statement.js';

/** The interval between two tokens of a rate, rounded up to whole microseconds. */
export function intervalOf(rate: string, rateMs: string): string {
  return `ceil(${rateMs} * 1000.0 / ${rate})::bigint * interval '1 microsecond'`;
}

/**
 * Selects the rows of the CTE `key`, each with `tokens`: how many may begin now, NULL without a rate. `first` is the time of
 * the first token that is not taken (GCRA). There are never more tokens than the burst. The rows need `rate`, `burst`,
 * `every` and `next_token_at`.
 *
 * The next token is never further away than one interval. A later `next_token_at` is that of a slower rate, before another one
 * was set, or of a clock that has been put back since. {@link nearerTokenClause} replaces it.
 *
 * @param now - the time, an expression that may use columns of `key k`
 */
export function selectTokens(now: string): string {
  return `SELECT k.*, CASE WHEN k.rate IS NOT NULL AND f.first > ${now} THEN 0
                     WHEN k.rate IS NOT NULL THEN least(k.burst,
                       floor(extract(epoch FROM ${now} - f.first) / extract(epoch FROM k.every))::integer + 1)
                END AS tokens, f.first
    FROM key k CROSS JOIN LATERAL (
      SELECT greatest(
        least(coalesce(k.next_token_at, '-infinity'), ${now} + k.every), ${now} - (k.burst - 1) * k.every
      ) AS first
    ) f`;
}

/**
 * The CTE that stores when the next token comes, where the row has a later time than {@link selectTokens} allows. Without it, the
 * interval would begin anew with each look. Such a key has no token now, so no other part of the statement changes its row.
 *
 * @param keys - a CTE with the rows of `selectTokens`
 * @param key - its column with the key of the row
 */
export function nearerTokenClause({ limitSlot }: TenantTables, keys: string, key: string): string {
  return `nearer_token AS (
    UPDATE ${limitSlot} s SET next_token_at = k.first
    FROM ${keys} k WHERE s.limit_key = ANY (ARRAY[k.${key}]) AND k.tokens = 0 AND k.next_token_at > k.first
  )`;
}
