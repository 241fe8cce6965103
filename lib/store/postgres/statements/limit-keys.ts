import { countsFor, LIMITED_CLAIMABLE } from './limit-candidates.js';
import { columns, epochMs, integer, long, orNull, parsed, text } from './columns.js';
import { holdersOf } from './limit-holders.js';
import { NO_COLUMNS, type Statement, type TenantTables } from './statement.js';
import { ADMISSION_PREFIX } from '../../../workflow/admission.js';
import { MAP_LIMIT_PREFIX } from '../../../workflow/map-limit.js';
import type { LimitKeyRow, SlotHolder } from '../../port/index.js';

const KEY = columns({ limitKey: text });

/** Number of due tasks up to which they are read to find their keys. */
export const FEW_DUE = 64;

/**
 * Keys with due tasks. A loose scan of the index: one descent for each key, however many tasks wait behind it. The rows of a
 * recursive query are computed when they are read, so LIMIT ends the scan. The tasks of a key are not asked for with EXISTS,
 * because a plan could read those of all keys for it.
 *
 * A descent steps over the entries of tasks that were claimed just before, so there is a second one only where the first task
 * of the key is not due.
 *
 * Keys whose tasks sleep, or wait for their next attempt, are in the index too, and may be many. So if the caller asks for it ($4),
 * the due tasks are read first, by their index. If they are few, they have all the keys.
 */
export const readDueKeys: Statement<{ limitKey: string }> = {
  name: 'due_limit_keys',
  columns: KEY,
  text: (tables) => {
    const isDue = `t.run_at <= ${tables.clock.statement} AND t.definition_id = ANY ($1::bigint[])`;
    const next = (
      after: string,
      more = '',
    ): string => `SELECT t.limit_key, ${isDue} AS is_due FROM ${tables.task} t
      WHERE ${LIMITED_CLAIMABLE} AND t.limit_key > ${after}${more} ORDER BY t.limit_key LIMIT 1`;
    return `WITH RECURSIVE due AS MATERIALIZED (
    SELECT t.limit_key, t.definition_id FROM ${tables.task} t
    WHERE ${LIMITED_CLAIMABLE} AND t.task_no >= 0 AND t.run_at <= ${tables.clock.statement} AND $4::boolean
    ORDER BY t.run_at LIMIT ${FEW_DUE + 1}
  ), are AS MATERIALIZED (
    SELECT $4::boolean AND count(*) <= ${FEW_DUE} AS few FROM due
  ), k AS (
    (${next('$2::text COLLATE "C"', ' AND NOT (SELECT few FROM are)')})
    UNION ALL
    SELECT n.limit_key, n.is_due FROM k CROSS JOIN LATERAL (${next('k.limit_key')}) n
  )
  (SELECT DISTINCT ${KEY.select({ limitKey: 'd.limit_key' })} FROM due d
  WHERE (SELECT few FROM are) AND d.definition_id = ANY ($1::bigint[]) AND d.limit_key > $2::text COLLATE "C"
  ORDER BY 1 LIMIT $3::integer)
  UNION ALL
  (SELECT ${KEY.select({ limitKey: 'k.limit_key' })} FROM k CROSS JOIN LATERAL (
    SELECT WHERE k.is_due
    UNION ALL
    (SELECT FROM ${tables.task} t
    WHERE NOT k.is_due AND t.limit_key = k.limit_key AND ${LIMITED_CLAIMABLE} AND ${isDue}
    LIMIT 1)
  ) d
  LIMIT $3::integer)`;
  },
};

/**
 * Inserts the rows of keys. A start never does this: in a caller's open transaction, a new row would keep all other
 * processes from the key.
 */
export const insertLimitKeys: Statement = {
  name: 'insert_limit_keys',
  columns: NO_COLUMNS,
  text: ({ limitSlot }) => `INSERT INTO ${limitSlot} (limit_key)
  SELECT k FROM json_array_elements_text($1::json) k ORDER BY k COLLATE "C" ON CONFLICT DO NOTHING`,
};

/** Deletes the row of a map's key ($1), if the map is Completed. */
export const closeMapLimit: Statement = {
  name: 'close_map_limit',
  columns: NO_COLUMNS,
  text: ({ limitSlot, task }) => `DELETE FROM ${limitSlot} s
    WHERE s.limit_key = $1::text AND EXISTS (
      SELECT FROM ${task} t
      WHERE t.execution_id = $2::uuid AND t.task_no = $3::integer AND t.item_no = 0 AND t.status || '' = 'Completed')`,
};

/** Each number with a flag that says whether to set it. */
const NUMBERS = ['concurrency', 'rate', 'rate_ms', 'burst'] as const;

function setText(target: string, numbers: readonly string[]): string {
  return numbers
    .map(
      (column, i) =>
        `${column} = CASE WHEN ($2::boolean[])[${i + 1}] THEN ($3::bigint[])[${i + 1}] ELSE ${target}.${column} END`,
    )
    .join(', ');
}

/** Numbers of a limit: name, flags, values. */
export const setLimit: Statement = {
  name: 'set_limit',
  columns: NO_COLUMNS,
  text: ({ limit, clock }) => {
    const numbers = [...NUMBERS, 'total'];
    const values = numbers.map((_, i) => `($3::bigint[])[${i + 1}]`).join(', ');
    return `INSERT INTO ${limit} AS l (name, ${numbers.join(', ')}) VALUES ($1, ${values})
  ON CONFLICT (name) DO UPDATE SET ${setText('l', numbers)}, updated_at = ${clock.now}`;
  },
};

/** Numbers of one key: key, flags, values. */
export const setLimitKey: Statement = {
  name: 'set_limit_key',
  columns: NO_COLUMNS,
  text: ({ limitSlot }) => {
    const numbers = [...NUMBERS, 'weight'];
    const values = numbers.map((_, i) => `($3::bigint[])[${i + 1}]`).join(', ');
    return `INSERT INTO ${limitSlot} AS s (limit_key, ${numbers.join(', ')}) VALUES ($1, ${values})
  ON CONFLICT (limit_key) DO UPDATE SET ${setText('s', numbers)}`;
  },
};

const STATE = columns({
  limitKey: text,
  concurrency: orNull(integer),
  rate: orNull(integer),
  rateMs: orNull(long),
  burst: orNull(integer),
  total: orNull(integer),
  weight: integer,
  holders: parsed<readonly SlotHolder[]>([]),
  waiting: integer,
  oldestForMs: orNull(long),
  tokenInMs: orNull(long),
});

/** Max number of waiting tasks that are counted of each key. */
const MAX_COUNTED = 1_000;

/** Keys as they are now, in their order. $1 has the names of the strict limits. */
function stateText(tables: TenantTables, condition: string): string {
  const { clock } = tables;
  return `SELECT ${STATE.select({
    limitKey: 's.limit_key',
    concurrency: 'coalesce(s.concurrency, l.concurrency)',
    rate: 'coalesce(s.rate, l.rate)',
    rateMs: 'CASE WHEN s.rate IS NULL THEN l.rate_ms ELSE s.rate_ms END',
    burst: 'CASE WHEN s.rate IS NULL THEN l.burst ELSE s.burst END',
    total: 'l.total',
    weight: 'coalesce(s.weight, 1)',
    holders: `(SELECT json_agg(json_build_object('executionId', x.e, 'taskNo', x.n, 'itemNo', x.i,
          'definitionId', t.definition_id::text))
        FROM unnest(h.h_execution, h.h_task, h.h_item) x(e, n, i) CROSS JOIN LATERAL (
          SELECT t.definition_id FROM ${tables.task} t
          WHERE t.execution_id = x.e AND t.task_no = x.n AND t.item_no = x.i
        ) t)`,
    waiting: 'w.waiting',
    oldestForMs: epochMs(`${clock.statement} - w.since`),
    tokenInMs: epochMs(`s.next_token_at - ${clock.now}`),
  })}
  FROM (
    SELECT * FROM ${tables.limitSlot} s ${condition}
  ) s LEFT JOIN ${tables.limit} l ON l.name = split_part(s.limit_key, chr(31), 1)
    CROSS JOIN LATERAL ${holdersOf(tables, { isDoubtful: 'true', untilEnd: 'split_part(s.limit_key, chr(31), 1) = ANY ($1::text[])' })} h
    CROSS JOIN LATERAL (
      SELECT count(*)::integer AS waiting, min(d.run_at) AS since FROM (
        SELECT t.run_at FROM ${tables.task} t
        WHERE ${countsFor('s.limit_key')} AND ${LIMITED_CLAIMABLE} AND t.run_at <= ${clock.statement}
        LIMIT ${MAX_COUNTED}
      ) d
    ) w
  ORDER BY s.limit_key`;
}

/**
 * $2 limits the keys to one name, $3 is the key before them. A row without a separator belongs to a total. Keys of maps and of
 * admissions are left out.
 */
export const readLimitKeys: Statement<LimitKeyRow> = {
  name: 'read_limit_keys',
  columns: STATE,
  text: (tables) =>
    stateText(
      tables,
      `WHERE s.limit_key > $3::text COLLATE "C" AND strpos(s.limit_key, chr(31)) > 0
      AND NOT starts_with(s.limit_key, '${MAP_LIMIT_PREFIX}') AND NOT starts_with(s.limit_key, '${ADMISSION_PREFIX}')
      AND ($2::text IS NULL OR s.limit_key >= $2 || chr(31) AND s.limit_key < $2 || chr(32))
    ORDER BY s.limit_key LIMIT $4::integer`,
    ),
};

/** The keys of a JSON array ($2). */
export const readTheseLimitKeys: Statement<LimitKeyRow> = {
  name: 'read_these_limit_keys',
  columns: STATE,
  text: (tables) =>
    stateText(tables, 'WHERE s.limit_key IN (SELECT json_array_elements_text($2::json))'),
};
