import { intervalOf, nearerTokenClause, selectTokens } from './limit-tokens.js';
import { withHolders } from './limit-holders.js';
import type { TenantTables } from './statement.js';
import { ADMIT_NEXT } from '../../port/index.js';

/** A condition: execution `x` waits for its turn, now or later. It is that of the indexes. */
export const WAITS_FOR_TURN =
  "x.admission_key IS NOT NULL AND NOT x.admitted AND x.completed_at IS NULL AND x.status <> 'Paused'";

/** The same of a row that is found by its key, written so that no plan can use the indexes of the waiting executions. */
export const STILL_WAITS =
  "(x.admitted OR x.completed_at IS NOT NULL OR x.status || '' = 'Paused') IS FALSE";

/** The bits of `unsettled` that an execution with an admission starts with. */
export const unsettledBy = (admissionKey: string): string =>
  `(CASE WHEN ${admissionKey} IS NULL THEN 0 ELSE ${ADMIT_NEXT} END)`;

/** How long a holder without a row counts as holding. */
const YOUNG = "interval '1 minute'";
/** Replaces the number of the task in the rows of slots. */
const WHOLE_EXECUTION = -1;

/**
 * A lateral sub-select with the executions that still hold a slot of row `s`, the oldest first, and their number `held`.
 *
 * A slot is a pair of an execution and its generation. It is free as soon as the row of the execution has an end, or a higher
 * generation. Every end sets `completed_at`, so no way to end an execution can forget the slot, and nothing counts. The row of
 * the execution may be read from an older snapshot than the row of the slots, which is read under its lock. An older row has
 * no end yet or a lower generation, which counts as holding. So an old snapshot admits too few, never too many:
 *
 * - An execution that is younger than the snapshot has no row in it. For a minute, a missing row means that it holds.
 * - A deleted one has none either. After that minute, a missing row means that it is free.
 *
 * @param isDoubtful - a condition: the holders are compared with their rows. Else all of them count, which may be too many
 */
export function executionHolders(tables: TenantTables, isDoubtful: string): string {
  return `(
      SELECT coalesce(array_agg(h.e ORDER BY h.ord), '{}') AS h_execution,
             coalesce(array_agg(h.n ORDER BY h.ord), '{}') AS h_task,
             coalesce(array_agg(h.i ORDER BY h.ord), '{}') AS h_item,
             coalesce(array_agg(h.generation ORDER BY h.ord), '{}') AS h_token,
             coalesce(array_agg(h.at ORDER BY h.ord), '{}') AS h_at, count(*)::integer AS held
      FROM unnest(s.h_execution, s.h_task, s.h_item, s.h_token, s.h_at)
             WITH ORDINALITY AS h(e, n, i, generation, at, ord)
        LEFT JOIN LATERAL (
          SELECT x.generation AS now, x.completed_at IS NOT NULL AS is_over FROM ${tables.execution} x
          WHERE ${isDoubtful} AND x.id = ANY (ARRAY[h.e]) LIMIT 1
        ) x ON true
      WHERE NOT (${isDoubtful}) OR CASE
        WHEN x.now IS NULL THEN h.at > ${tables.clock.statement} - ${YOUNG}
        WHEN x.now = h.generation THEN NOT x.is_over
        ELSE x.now < h.generation
      END
    )`;
}

/**
 * The CTEs `key` and `token`: the keys of the CTE `asked` whose rows of slots the statement has locked, with the number of
 * `free` slots and the `tokens` of the rate. The numbers of `asked` are those of the code: numbers that were set for the key, or
 * else for the workflow, take their place.
 *
 * @param skipLocked - leaves out keys that another statement has locked. Else it waits for them, in the order of the keys
 * @param columns - further columns of `asked`
 */
export function slotClauses(
  tables: TenantTables,
  skipLocked: boolean,
  columns: readonly string[] = [],
): string {
  const isDoubtful = '2 * cardinality(s.h_execution) >= a.concurrency';
  return `key AS MATERIALIZED (
    SELECT o.limit_key, ${columns.map((column) => `o.${column}, `).join('')}a.concurrency, a.rate, a.rate_ms, a.burst,
           a.concurrency - h.held AS free, ${intervalOf('a.rate', 'a.rate_ms')} AS every, s.next_token_at,
           ${tables.clock.now} AS now,
           s.h_execution[cardinality(s.h_execution)] AS last, h.*
    FROM (SELECT * FROM asked ORDER BY limit_key) o
      CROSS JOIN LATERAL (
        SELECT * FROM ${tables.limitSlot} s WHERE s.limit_key = ANY (ARRAY[o.limit_key])
        FOR NO KEY UPDATE${skipLocked ? ' SKIP LOCKED' : ''}
      ) s LEFT JOIN LATERAL (
        SELECT * FROM ${tables.limit} l WHERE l.name = ANY (ARRAY[split_part(o.limit_key, chr(31), 1)]) LIMIT 1
      ) l ON true CROSS JOIN LATERAL (
        SELECT coalesce(s.concurrency, l.concurrency, o.concurrency) AS concurrency,
               ${['rate', 'rate_ms', 'burst'].map((column) => `CASE WHEN s.rate IS NOT NULL THEN s.${column} WHEN l.rate IS NOT NULL THEN l.${column} ELSE o.${column} END AS ${column}`).join(', ')}
      ) a CROSS JOIN LATERAL ${executionHolders(tables, isDoubtful)} h
  ), token AS MATERIALIZED (
    ${selectTokens('k.now')}
  ), ${nearerTokenClause(tables, 'token', 'limit_key')}`;
}

/**
 * The CTEs `taken` and `slot`, which write the holders that the statement adds.
 *
 * @param from - FROM and WHERE of the admitted executions `x`, with `id`, `generation` and `admission_key`
 * @param keys - a CTE with the rows of `token`
 */
export function takenClauses(tables: TenantTables, from: string, keys: string): string {
  return `taken AS MATERIALIZED (
    SELECT x.admission_key AS limit_key, count(*)::integer AS taken, array_agg(x.id ORDER BY x.id) AS h_execution,
           array_agg(${WHOLE_EXECUTION}) AS h_task, array_agg(0) AS h_item,
           array_agg(x.generation::bigint ORDER BY x.id) AS h_token, array_agg(${tables.clock.statement}) AS h_at
    FROM ${from} GROUP BY 1
  ), slot AS (
    UPDATE ${tables.limitSlot} s
    SET ${withHolders('r', 'n')},
        next_token_at = CASE WHEN r.rate IS NULL THEN s.next_token_at ELSE r.first + n.taken * r.every END
    FROM taken n JOIN ${keys} r ON r.limit_key = n.limit_key
    WHERE s.limit_key = ANY (ARRAY[n.limit_key])
  )`;
}

/** A sub-select of the key in `row`: its first due execution that waits, without a lock. */
export function firstWaiting({ execution, clock }: TenantTables, key: string): string {
  return `SELECT x.id FROM ${execution} x
        WHERE x.admission_key = ${key} AND ${WAITS_FOR_TURN} AND x.run_at <= ${clock.statement}
        ORDER BY x.priority DESC, x.run_at, x.id`;
}
