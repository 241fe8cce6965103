import { batchClause } from './claim-batch.js';
import {
  CLAIM_COLUMNS,
  claimedClauses,
  claimOfTask,
  executionIsFree,
  INPUT_IS_SMALL,
  INPUT_ROW,
} from './claim-tasks.js';
import { boolean, columns, integer, json, long, orNull, text } from './columns.js';
import { plainArray } from './encoding.js';
import { leaseClause, leaseValues } from './lease-clause.js';
import { holdersOf, holdersOfClaims, withHolders } from './limit-holders.js';
import type { Statement, TenantTables } from './statement.js';
import { MAX_CONCURRENCY, splitLimitKey } from '../../../workflow/limit.js';
import type {
  ClaimedKey,
  ClaimedTask,
  LeaseWrite,
  LimitedChoice,
  LimitedClaims,
  LimitRequest,
} from '../../port/index.js';

/** Replaces the task's number in a row that tells of a key. */
const KEY_ROW = -2;

const LIMITED = columns({
  ...CLAIM_COLUMNS,
  input: orNull(json),
  limitKey: orNull(text),
  claimed: orNull(integer),
  more: orNull(boolean),
  isLocked: orNull(boolean),
  tokenInMs: orNull(long),
});
type LimitedRow = ReturnType<typeof LIMITED.decode>[number];

/** A condition: task `t` has a limit, and waits to be claimed, now or later. It is that of the index. */
export const LIMITED_CLAIMABLE =
  't.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NOT NULL';

/** A claim that finds a longer list than this part of the slots of a key compares it with the rows of the holders. */
const DOUBTFUL_PART = 2;

/**
 * Claims due tasks of some keys, within the limits of the keys.
 *
 * **Exact.** The row of a key is locked, so one statement at a time claims for it, and read anew under the lock. See
 * {@link holdersOf} for the rest of the proof.
 *
 * **No waits.** A key that another claim has locked is left out, and reported. So no claim waits for another one.
 *
 * **Cost.** The holders are looked up only when their list is as long as half of the slots, and the list is then rid of
 * those that hold no more. So there is about one look-up for a claim, and fewer if the limit does not bind.
 *
 * **Rate.** `next_token_at` is the time of the first token that is not taken (GCRA). There are never more tokens than
 * the burst, and one more comes with each interval, which is rounded up to whole microseconds.
 *
 * **Turns.** Each key gets at most its share of the room, by weight. The candidates are then ranked: the first of each key,
 * then the second of each, and a key of weight 2 has two in each round.
 *
 * **Total.** The slots of all keys together are those of a row whose key is only the name. It is locked before the keys.
 *
 * **Lock order.** Slots before tasks, tasks before executions. No other statement locks slots after tasks.
 */
export const claimLimited: Statement<LimitedRow> = {
  name: 'claim_limited',
  columns: LIMITED,
  text: (tables) => limitedText(tables, ''),
};

/** `claimLimited` that skips tasks whose execution another session has locked, as `claimTasksPastLocks` does. */
export const claimLimitedPastLocks: Statement<LimitedRow> = {
  name: 'claim_limited_past_locks',
  columns: LIMITED,
  text: (tables) => limitedText(tables, executionIsFree(tables)),
};

function limitedText(tables: TenantTables, isFree: string): string {
  const { clock } = tables;
  const isDoubtful = (slots: string): string =>
    `${DOUBTFUL_PART} * cardinality(s.h_execution) >= ${slots}`;
  return `WITH asked AS MATERIALIZED (
    SELECT a.limit_key, a.name, a.turn, coalesce(l.concurrency, a.concurrency, ${MAX_CONCURRENCY}) AS concurrency,
           coalesce(l.total, a.total) AS total, ${rateOf('l', 'a')}
    FROM ROWS FROM (
      json_array_elements_text($6::json), json_array_elements_text($7::json), unnest($8::integer[]),
      unnest($9::integer[]), unnest($10::integer[]), unnest($11::bigint[]), unnest($12::integer[])
    ) WITH ORDINALITY AS a(limit_key, name, concurrency, total, rate, rate_ms, burst, turn)
      LEFT JOIN LATERAL (
        SELECT * FROM ${tables.limit} l WHERE l.name = ANY (ARRAY[a.name]) LIMIT 1
      ) l ON true
  ), total AS MATERIALIZED (
    SELECT n.name, n.total - h.held AS free, h.*
    FROM (SELECT DISTINCT name, total FROM asked WHERE total IS NOT NULL ORDER BY 1) n
      CROSS JOIN LATERAL (${lockedSlot(tables, 'n.name')}) s
      CROSS JOIN LATERAL ${holdersOf(tables, isDoubtful('n.total'))} h
  ), key AS MATERIALIZED (
    SELECT a.limit_key, a.name, a.turn, t.free AS total_free, greatest(1, coalesce(s.weight, 1)) AS weight,
           c.concurrency - h.held AS free, r.rate, r.burst,
           ceil(r.rate_ms * 1000.0 / r.rate)::bigint * interval '1 microsecond' AS every, s.next_token_at, h.*
    FROM asked a LEFT JOIN total t ON t.name = a.name
      CROSS JOIN LATERAL (${lockedSlot(tables, 'a.limit_key')}) s
      CROSS JOIN LATERAL (SELECT coalesce(s.concurrency, a.concurrency) AS concurrency) c
      CROSS JOIN LATERAL (SELECT ${rateOf('s', 'a')}) r
      CROSS JOIN LATERAL ${holdersOf(tables, isDoubtful('c.concurrency'))} h
    WHERE a.total IS NULL OR t.free IS NOT NULL
  ), token AS MATERIALIZED (
    SELECT k.*, CASE WHEN k.rate IS NOT NULL AND f.first > ${clock.statement} THEN 0
                     WHEN k.rate IS NOT NULL THEN least(k.burst,
                       floor(extract(epoch FROM ${clock.statement} - f.first) / extract(epoch FROM k.every))::integer + 1)
                END AS tokens, f.first
    FROM key k CROSS JOIN LATERAL (
      SELECT greatest(k.next_token_at, ${clock.statement} - (k.burst - 1) * k.every) AS first
    ) f
  ), room AS MATERIALIZED (
    SELECT k.*, least(k.free, k.tokens, k.total_free) AS open,
           ceil($2::integer * k.weight::numeric / sum(k.weight) FILTER (
             WHERE least(k.free, k.tokens, k.total_free) > 0) OVER ())::integer AS share
    FROM token k
  ), candidate AS MATERIALIZED (
    SELECT r.limit_key, r.name, r.turn, r.total_free, c.execution_id, c.task_no, c.item_no,
           (row_number() OVER (PARTITION BY r.turn ORDER BY c.priority DESC, c.run_at) - 1) / r.weight AS round
    FROM room r CROSS JOIN LATERAL (
      SELECT t.execution_id, t.task_no, t.item_no, t.priority, t.run_at FROM ${tables.task} t
      WHERE t.limit_key = r.limit_key AND ${LIMITED_CLAIMABLE} AND t.run_at <= ${clock.statement}
        AND t.definition_id = ANY ($1::bigint[])
        AND ($4::integer[] IS NULL OR NOT EXISTS (
          SELECT FROM unnest($3::bigint[], $4::integer[]) AS x(definition_id, task_no)
          WHERE x.definition_id = t.definition_id AND x.task_no = t.task_no))
        AND ($14::integer[] IS NULL OR NOT EXISTS (
          SELECT FROM unnest($13::uuid[], $14::integer[], $15::integer[]) AS x(execution_id, task_no, item_no)
          WHERE x.execution_id = t.execution_id AND x.task_no = t.task_no AND x.item_no = t.item_no))${isFree}
      ORDER BY t.priority DESC, t.run_at LIMIT greatest(0, least(r.open, r.share))
      FOR NO KEY UPDATE SKIP LOCKED
    ) c
  ), chosen AS MATERIALIZED (
    SELECT c.limit_key, c.name, c.execution_id, c.task_no, c.item_no
    FROM (
      SELECT c.*, row_number() OVER (PARTITION BY c.name ORDER BY c.round, c.turn) AS of_name FROM candidate c
    ) c
    WHERE c.total_free IS NULL OR c.of_name <= c.total_free
    ORDER BY c.round, c.turn LIMIT $2::integer
  ), ${claimedClauses(tables, { instance: '$16', from: 'chosen c', returning: ', c.limit_key, c.name' })},
  taken AS MATERIALIZED (
    SELECT c.limit_key, count(*)::integer AS taken, ${holdersOfClaims(tables)} FROM claimed c GROUP BY 1
  ), taken_total AS MATERIALIZED (
    SELECT c.name, ${holdersOfClaims(tables)} FROM claimed c GROUP BY 1
  ), ${leaseClause(tables, 16)}, slot AS (
    UPDATE ${tables.limitSlot} s
    SET ${withHolders('r', 'n')},
        next_token_at = CASE WHEN r.rate IS NULL THEN s.next_token_at ELSE r.first + n.taken * r.every END
    FROM taken n JOIN room r ON r.limit_key = n.limit_key
    WHERE s.limit_key = ANY (ARRAY[n.limit_key])
  ), total_slot AS (
    UPDATE ${tables.limitSlot} s SET ${withHolders('t', 'n')}
    FROM taken_total n JOIN total t ON t.name = n.name
    WHERE s.limit_key = ANY (ARRAY[n.name])
  ), ${batchClause(tables, { instance: '$16', no: '$5', from: 'claimed c' })}
  SELECT ${LIMITED.selectSome({ ...claimOfTask(tables), limitKey: 'limit_key' })} FROM claimed
  UNION ALL
  SELECT ${LIMITED.selectSome({ executionId: 'id', taskNo: String(INPUT_ROW), input: 'input' })}
  FROM begun WHERE ${INPUT_IS_SMALL}
  UNION ALL
  SELECT ${LIMITED.selectSome({
    taskNo: String(KEY_ROW),
    limitKey: 'a.limit_key',
    claimed: 'coalesce(n.taken, 0)',
    more: 'coalesce(n.taken, 0) < r.open AND coalesce(n.taken, 0) >= r.share OR coalesce(n.taken, 0) < c.found',
    isLocked: 'r.limit_key IS NULL',
    tokenInMs: `CASE WHEN coalesce(n.taken, 0) >= r.tokens
      THEN greatest(0, ceil(extract(epoch FROM r.first + coalesce(n.taken, 0) * r.every - ${clock.now}) * 1000))::bigint END`,
  })}
  FROM asked a LEFT JOIN room r ON r.limit_key = a.limit_key LEFT JOIN taken n ON n.limit_key = a.limit_key
    LEFT JOIN (SELECT c.limit_key, count(*) AS found FROM candidate c GROUP BY 1) c ON c.limit_key = a.limit_key`;
}

/** The rate that one row sets, all of it, or else the rate of the other row. */
function rateOf(set: string, otherwise: string): string {
  return ['rate', 'rate_ms', 'burst']
    .map((column) => {
      const own = `${set}.${column}`;
      return `CASE WHEN ${set}.rate IS NULL THEN ${otherwise}.${column} ELSE ${own} END AS ${column}`;
    })
    .join(', ');
}

function lockedSlot(tables: TenantTables, key: string): string {
  return `SELECT * FROM ${tables.limitSlot} s WHERE s.limit_key = ANY (ARRAY[${key}])
        FOR NO KEY UPDATE SKIP LOCKED`;
}

export function limitedValues(
  keys: readonly LimitRequest[],
  room: number,
  { definitions, unknown, except = [] }: LimitedChoice,
  { claimant, write }: LeaseWrite,
  batchNo: number,
): unknown[] {
  const numbers = keys.map((key) => key.numbers);
  return [
    plainArray(definitions),
    room,
    unknown.length === 0 ? null : plainArray(unknown.map(([definition]) => definition)),
    unknown.length === 0 ? null : plainArray(unknown.map(([, task]) => task)),
    batchNo,
    JSON.stringify(keys.map(({ limitKey }) => limitKey)),
    JSON.stringify(keys.map(({ limitKey }) => splitLimitKey(limitKey).name)),
    plainArray(numbers.map(({ concurrency }) => concurrency)),
    plainArray(numbers.map(({ total }) => total)),
    plainArray(numbers.map(({ rate }) => rate?.limit)),
    plainArray(numbers.map(({ rate }) => rate?.perMs)),
    plainArray(numbers.map(({ rate }) => rate?.burst)),
    except.length === 0 ? null : plainArray(except.map(({ executionId }) => executionId)),
    except.length === 0 ? null : plainArray(except.map(({ taskNo }) => taskNo)),
    except.length === 0 ? null : plainArray(except.map(({ itemNo }) => itemNo)),
    ...leaseValues(claimant, write),
  ];
}

export function limitedClaimsOf(rows: readonly LimitedRow[]): LimitedClaims {
  const inputs = new Map<string, string>();
  const keys: ClaimedKey[] = [];
  const claims: ClaimedTask[] = [];
  for (const row of rows) {
    if (row.taskNo === INPUT_ROW && row.input !== null) inputs.set(row.executionId, row.input);
    if (row.taskNo === KEY_ROW) keys.push(keyOf(row));
  }
  for (const {
    input: _,
    limitKey,
    claimed: _c,
    more: _m,
    isLocked: _l,
    tokenInMs: _t,
    ...row
  } of rows) {
    if (row.taskNo < 0) continue;
    claims.push({ ...row, limitKey: limitKey ?? undefined, input: inputs.get(row.executionId) });
  }
  return { claims, keys };
}

function keyOf({ limitKey, claimed, more, isLocked, tokenInMs }: LimitedRow): ClaimedKey {
  return {
    limitKey: limitKey ?? '',
    claimed: claimed ?? 0,
    fate: isLocked === true ? 'locked' : more === true ? 'more' : 'done',
    tokenInMs,
  };
}
