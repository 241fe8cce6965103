import { batchClause } from './claim-batch.js';
import { executionIsFree } from './claimable-tasks.js';
import { claimedClauses } from './claimed-clauses.js';
import { leaseClause } from './lease-clause.js';
import { candidatesOf, holderCandidatesOf } from './limit-candidates.js';
import {
  firstHoldersOf,
  holdersOf,
  holdersOfClaims,
  holdersWithout,
  withHolders,
} from './limit-holders.js';
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
 * How many holders to find that hold no more: all but as many as the key may get now, because that many, the youngest, probably
 * run still. When they are found, at least the share of the key in the room is free.
 */
const ENOUGH = `      CROSS JOIN LATERAL (
        SELECT ceil($2::numeric / (SELECT count(*) FROM asked)) * greatest(1, coalesce(s.weight, 1)) AS share
      ) p CROSS JOIN LATERAL (
        SELECT greatest(0, cardinality(s.h_execution) - least(p.share, greatest(0, c.concurrency - p.share)))::bigint AS enough
      ) w
`;
/** A condition: the claim is another run of the task that holds the slot `h`. */
const RUNS_AGAIN = `r.is_strict AND EXISTS (
        SELECT FROM claimed c WHERE c.execution_id = h.e AND c.task_no = h.n AND c.item_no = h.i)`;

/**
 * Claims due tasks of some keys, within the limits of the keys.
 *
 * **Exact.** The row of a key is locked, so one statement at a time claims for it, and read anew under the lock. See
 * {@link holdersOf} for the rest of the proof.
 *
 * **No waits.** A key that another claim has locked is left out, and reported. So no claim waits for another one.
 *
 * **Cost.** The holders are looked up only when their list is as long as half of the slots, and the list is then rid of
 * those that hold no more ({@link ENOUGH}). So there is about one look-up for a claim, and fewer if the limit does not bind.
 * Between the CTEs a key is its number in the request, its `turn`: text would be copied and compared for each task.
 *
 * **Rate.** `next_token_at` is the time of the first token that is not taken (GCRA). There are never more tokens than
 * the burst, and one more comes with each interval, which is rounded up to whole microseconds. The time is that after the lock
 * of the key: by the time of the statement, claims that had to wait for a processor would bunch their tasks.
 *
 * **Turns.** Each key gets at most its share of the room, by weight. The candidates are then ranked: the first of each key,
 * then the second of each, and a key of weight 2 has two in each round.
 *
 * **Total.** The slots of all keys together are those of a row whose key is only the name. It is locked before the keys.
 *
 * **Lock order.** Slots before tasks, tasks before executions. No other statement locks slots after tasks.
 *
 * **Without a concurrency** the holders are not kept: the key only takes turns.
 */
export const claimLimited: Statement<LimitedRow> = {
  name: 'claim_limited',
  columns: LIMITED,
  text: (tables) => limitedText(tables, PLAIN),
};

/** `claimLimited` that skips tasks whose execution another session has locked, as `claimTasksPastLocks` does. */
export const claimLimitedPastLocks: Statement<LimitedRow> = {
  name: 'claim_limited_past_locks',
  columns: LIMITED,
  text: (tables) => limitedText(tables, { ...PLAIN, isFree: executionIsFree(tables) }),
};

/**
 * `claimLimited` for keys some of which are strict: a task of such a key holds its slot until it has ended. So a holder whose
 * next run is due is claimed first, and needs no free slot.
 */
export const claimLimitedStrictly: Statement<LimitedRow> = {
  name: 'claim_limited_strictly',
  columns: LIMITED,
  text: (tables) => limitedText(tables, { ...PLAIN, isStrict: true }),
};

/** `claimLimitedStrictly` that skips tasks whose execution another session has locked. */
export const claimLimitedStrictlyPastLocks: Statement<LimitedRow> = {
  name: 'claim_limited_strictly_past_locks',
  columns: LIMITED,
  text: (tables) => limitedText(tables, { isStrict: true, isFree: executionIsFree(tables) }),
};

interface LimitedKind {
  /** A further condition on candidates `t`, that begins with AND. Empty for none. */
  readonly isFree: string;
  /** Whether some of the keys may be strict. */
  readonly isStrict: boolean;
}
const PLAIN: LimitedKind = { isFree: '', isStrict: false };

function limitedText(tables: TenantTables, { isFree, isStrict }: LimitedKind): string {
  const { clock } = tables;
  const holders = isStrict
    ? holdersOf(tables, { isDoubtful: isDoubtful('c.concurrency'), untilEnd: 'a.is_strict' })
    : firstHoldersOf(tables, {
        isDoubtful: isDoubtful('c.concurrency'),
        enough: 'w.enough',
      });
  return `WITH asked AS MATERIALIZED (
    SELECT a.turn, coalesce(l.concurrency, a.concurrency) AS concurrency, coalesce(l.total, a.total) AS total,
           ${isStrict ? '($21::boolean[])[a.turn] AS is_strict, ' : ''}${rateOf('l', 'a')},
           a.limit_key, a.name, a.definitions::bigint[] AS definitions
    FROM ROWS FROM (
      ${ASKED_COLUMNS}
    ) WITH ORDINALITY AS a(definitions, limit_key, name, concurrency, total, rate, rate_ms, burst, turn)
      ${joinedLimit(tables)}
  ), ${totalClause(tables)}, key AS MATERIALIZED (
    SELECT a.turn, c.concurrency, c.concurrency - h.held AS free, ${isStrict ? 'a.is_strict, ' : ''}r.rate, r.burst,
           ${intervalOf('r.rate', 'r.rate_ms')} AS every, s.next_token_at, ${clock.now} AS now,
           t.no AS total_no, t.free AS total_free, greatest(1, coalesce(s.weight, 1)) AS weight,
           a.limit_key, a.definitions, h.*
    FROM asked a LEFT JOIN total t ON t.name = a.name
      CROSS JOIN LATERAL (${lockedSlot(tables, 'a.limit_key')}) s
      CROSS JOIN LATERAL (SELECT coalesce(s.concurrency, a.concurrency) AS concurrency) c
      CROSS JOIN LATERAL (SELECT ${rateOf('s', 'a')}) r
${isStrict ? '' : ENOUGH}      CROSS JOIN LATERAL ${holders} h
    WHERE a.total IS NULL OR t.free IS NOT NULL
  ), token AS MATERIALIZED (
    ${selectTokens('k.now')}
  ), ${nearerTokenClause(tables, 'token', 'limit_key')}, room AS MATERIALIZED (
    SELECT k.*, least(k.free, k.tokens, k.total_free) AS open,
           ceil($2::integer * k.weight::numeric / sum(k.weight) FILTER (
             WHERE least(k.free, k.tokens, k.total_free) > 0) OVER ())::integer AS share
    FROM token k
  ), candidate AS MATERIALIZED (
    SELECT r.turn, r.total_no, r.total_free, r.tokens, c.execution_id, c.task_no, c.item_no, c.is_cut, c.place,
           (c.place - 1) / r.weight AS round
    FROM room r CROSS JOIN LATERAL ${isStrict ? holderCandidatesOf(tables, isFree) : candidatesOf(tables, isFree)} c
  ), chosen AS MATERIALIZED (
    SELECT c.turn, c.total_no, c.execution_id, c.task_no, c.item_no
    FROM (
      SELECT c.*, NULL::bigint AS of_total FROM candidate c WHERE c.total_no IS NULL
      UNION ALL
      SELECT c.*, row_number() OVER (PARTITION BY c.total_no ORDER BY c.round, c.turn)
      FROM candidate c WHERE c.total_no IS NOT NULL
    ) c
    WHERE (c.of_total IS NULL OR c.of_total <= c.total_free)${isStrict ? ' AND (c.tokens IS NULL OR c.place <= c.tokens)' : ''}
    ORDER BY c.round, c.turn LIMIT $2::integer
  ), ${claimedClauses(tables, { instance: '$16', from: 'chosen c', returning: ', c.turn, c.total_no' })},
  taken AS MATERIALIZED (
    SELECT c.turn, count(*)::integer AS taken, ${holdersOfClaims(tables)} FROM claimed c GROUP BY 1
  ), ${takenTotalClause(tables)}, ${leaseClause(tables, 16)}, slot AS (
    UPDATE ${tables.limitSlot} s
    SET ${withHolders(isStrict ? 'k' : 'r', 'n', `r.concurrency < ${UNLIMITED}`)},
        next_token_at = CASE WHEN r.rate IS NULL THEN s.next_token_at ELSE r.first + n.taken * r.every END
    FROM taken n JOIN room r ON r.turn = n.turn${isStrict ? ` CROSS JOIN LATERAL ${holdersWithout('r', RUNS_AGAIN)} k` : ''}
    WHERE s.limit_key = ANY (ARRAY[r.limit_key]) AND (r.concurrency < ${UNLIMITED} OR r.rate IS NOT NULL)
  ), ${totalSlotClause(tables)}, ${batchClause(tables, { instance: '$16', no: '$5', from: 'claimed c' })}
  ${limitedResult(tables, { tokensOf: 'n', mayBeFree: isStrict ? undefined : 'r.is_cut AND r.open >= r.free' })}`;
}
