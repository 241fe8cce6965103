/** The interval between two tokens of a rate, rounded up to whole microseconds. */
export function intervalOf(rate: string, rateMs: string): string {
  return `ceil(${rateMs} * 1000.0 / ${rate})::bigint * interval '1 microsecond'`;
}

/**
 * Selects the rows of the CTE `key`, each with `tokens`: how many may begin now, NULL without a rate. `first` is the time of
 * the first token that is not taken (GCRA). There are never more tokens than the burst. The rows need `rate`, `burst`,
 * `every` and `next_token_at`.
 *
 * @param now - the time, an expression that may use columns of `key k`
 */
export function selectTokens(now: string): string {
  return `SELECT k.*, CASE WHEN k.rate IS NOT NULL AND f.first > ${now} THEN 0
                     WHEN k.rate IS NOT NULL THEN least(k.burst,
                       floor(extract(epoch FROM ${now} - f.first) / extract(epoch FROM k.every))::integer + 1)
                END AS tokens, f.first
    FROM key k CROSS JOIN LATERAL (
      SELECT greatest(k.next_token_at, ${now} - (k.burst - 1) * k.every) AS first
    ) f`;
}
