import { executionHolders, WAITS_FOR_TURN } from './admission-slots.js';
import { FEW_DUE } from './limit-keys.js';
import { columns, epochMs, integer, long, orNull, parsed, text, uuid } from './columns.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import { SCHEDULE_TURN_PREFIX } from '../../../workflow/schedule-turn.js';
import type { AdmissionKeyRow } from '../../port/index.js';

const KEY = columns({ key: text });

/**
 * Keys with due executions that wait, behind $1. A loose scan of the index, as `readDueKeys` makes it, if there are more than a few
 * such executions: those that begin later may be many.
 */
export const readWaitingKeys: Statement<{ key: string }> = {
  name: 'waiting_admission_keys',
  columns: KEY,
  text: ({ execution, clock }) => {
    const next = (after: string, more = ''): string => `SELECT x.admission_key FROM ${execution} x
      WHERE ${WAITS_FOR_TURN} AND x.admission_key > ${after}${more} ORDER BY x.admission_key LIMIT 1`;
    return `WITH RECURSIVE due AS MATERIALIZED (
    SELECT x.admission_key FROM ${execution} x
    WHERE ${WAITS_FOR_TURN} AND x.generation >= 0 AND x.run_at <= ${clock.statement}
    ORDER BY x.run_at LIMIT ${FEW_DUE + 1}
  ), are AS MATERIALIZED (
    SELECT count(*) <= ${FEW_DUE} AS few FROM due
  ), k AS (
    (${next('$1::text COLLATE "C"', ' AND NOT (SELECT few FROM are)')})
    UNION ALL
    SELECT n.admission_key FROM k CROSS JOIN LATERAL (${next('k.admission_key')}) n
  )
  (SELECT DISTINCT ${KEY.select({ key: 'd.admission_key' })} FROM due d
  WHERE (SELECT few FROM are) AND d.admission_key > $1::text COLLATE "C"
  ORDER BY 1 LIMIT $2::integer)
  UNION ALL
  (SELECT ${KEY.select({ key: 'k.admission_key' })} FROM k CROSS JOIN LATERAL (
    SELECT FROM ${execution} x
    WHERE x.admission_key = k.admission_key AND ${WAITS_FOR_TURN} AND x.run_at <= ${clock.statement}
    LIMIT 1
  ) d
  LIMIT $2::integer)`;
  },
};

const OF_EXECUTION = columns({ id: uuid, key: text });

/** The keys of executions by id. */
export const readAdmissionKeys: Statement<{ id: string; key: string }> = {
  name: 'read_admission_keys',
  columns: OF_EXECUTION,
  text: ({ execution }) =>
    `SELECT ${OF_EXECUTION.select({ id: 'x.id', key: 'x.admission_key' })}
  FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) u(id)) i JOIN ${execution} x ON ${executionOf('i.id')}
  WHERE x.admission_key IS NOT NULL`,
};

const STATE = columns({
  key: text,
  concurrency: orNull(integer),
  rate: orNull(integer),
  rateMs: orNull(long),
  burst: orNull(integer),
  holders: parsed<readonly string[]>([]),
  waiting: integer,
  tokenInMs: orNull(long),
});

/** Max number of waiting executions that are counted of each key. */
const MAX_COUNTED = 1_000;

/** Keys as they are now, for people, in their order. Numbers that were not set are null. */
function stateText(tables: TenantTables, condition: string): string {
  return `SELECT ${STATE.select({
    key: 's.limit_key',
    concurrency: 'coalesce(s.concurrency, l.concurrency)',
    rate: 'coalesce(s.rate, l.rate)',
    rateMs: 'CASE WHEN s.rate IS NULL THEN l.rate_ms ELSE s.rate_ms END',
    burst: 'CASE WHEN s.rate IS NULL THEN l.burst ELSE s.burst END',
    holders: 'array_to_json(h.h_execution)',
    waiting: `(SELECT count(*)::integer FROM (
      SELECT FROM ${tables.execution} x
      WHERE x.admission_key = s.limit_key AND ${WAITS_FOR_TURN} AND x.run_at <= ${tables.clock.statement}
      LIMIT ${MAX_COUNTED}) w)`,
    tokenInMs: epochMs(`s.next_token_at - ${tables.clock.now}`),
  })}
  FROM (SELECT * FROM ${tables.limitSlot} s ${condition}) s
    LEFT JOIN ${tables.limit} l ON l.name = split_part(s.limit_key, chr(31), 1)
    CROSS JOIN LATERAL ${executionHolders(tables, 'true')} h
  ORDER BY s.limit_key`;
}

/** The keys of a JSON array. */
export const readAdmissionStates: Statement<AdmissionKeyRow> = {
  name: 'read_admission_states',
  columns: STATE,
  text: (tables) =>
    stateText(tables, 'WHERE s.limit_key IN (SELECT json_array_elements_text($1::json))'),
};

/** A page of the keys between $1 and $2, without those of schedules. */
export const readAdmissionPage: Statement<AdmissionKeyRow> = {
  name: 'read_admission_page',
  columns: STATE,
  text: (tables) =>
    stateText(
      tables,
      `WHERE s.limit_key > $1::text COLLATE "C" AND s.limit_key < $2::text COLLATE "C"
      AND NOT starts_with(s.limit_key, '${SCHEDULE_TURN_PREFIX}')
    ORDER BY s.limit_key LIMIT $3::integer`,
    ),
};
