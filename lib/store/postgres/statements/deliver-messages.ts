import { bigint, boolean, columns, integer, json, orNull, strings, text } from './columns.js';
import { plainArray } from './encoding.js';
import { eventStartClause, WORKFLOWS_TO_START } from './event-start-clause.js';
import { lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  AFTER_CLAIM,
  LOCKED_TASK,
  WOKEN_COLUMNS,
  wakeAndClaimClauses,
  wokenOf,
  wokenRow,
} from './wake-and-claim.js';
import { isOnlyWait } from './only-wait.js';
import {
  MAX_GIVEN_BYTES,
  type ClaimedTask,
  type Delivery,
  type StepRow,
} from '../../port/index.js';

/**
 * The first row has what the messages were and are to start, and what is left of them. The others are tasks, steps that were
 * given an event (`step` and `signalId`), and the payloads of these events (`signalId` alone).
 */
const DELIVERED = columns({
  ...WOKEN_COLUMNS,
  step: orNull(text),
  signalId: orNull(bigint),
  payload: orNull(json),
  messages: orNull(integer),
  toStart: orNull(strings),
  isPartial: orNull(boolean),
  hasMore: orNull(boolean),
});
type DeliveredRow = ReturnType<typeof DELIVERED.decode>[number];

/** The parameter with the maximum number of messages, and of tasks. */
const LIMIT = `$${AFTER_CLAIM}::integer`;
/** How many tasks one message may wake in a statement. The rest is for messages behind it. */
const SHARE = `(${LIMIT} - ${LIMIT} / 4)`;

/**
 * Wakes the tasks that listen for stored messages, by the index of open checkpoints.
 *
 * **Parts.** One event may wake a hundred thousand tasks. In one statement they would hold its locks, and its connection, for
 * seconds. So a statement wakes a bounded number, in the order of the index, and the message's row says up to which task
 * (`delivery`). It stays undelivered until its last part, so the death of a process between two parts leaves it to the next
 * delivery. A task that begins to wait in the meantime is not missed: it looks for the message after it has opened its
 * checkpoint. The last row of each message in `listed` says that no listener is behind it. So whether a message is done does
 * not depend on the order in which LIMIT gets the rows.
 *
 * **Plan.** With OFFSET 0, the look-up of a message's checkpoints stays a subquery: as a join, a plan for a small table would
 * read all open checkpoints, and stay in use while the table grows.
 *
 * **It waits for no lock.** Messages that another process is delivering are skipped, and so are tasks whose row is locked at
 * the moment. A message with such a task stays undelivered, and the next delivery wakes the task. If it waited, it could
 * deadlock with a task that holds its own row and takes the message. A delivery in parts continues past such a task, and begins
 * anew after its last part.
 *
 * **Given.** An event is given to a task that sleeps in a wait for it and in no other: the wait is over, and the claim of this
 * statement, or a later one, comes with the payload. So such a task begins without a look. The conditions are those of
 * `send_signals`: the locked row is the version of the snapshot, so the wait is open; the event came after the wait began, so
 * the wait accepts it, and the task has not had it; and no older event of its name and key is undelivered. Where one of them
 * does not hold, the task is only woken, and looks.
 *
 * **Awake.** A task that waits and is due already is not woken again. It will be claimed after this snapshot, so it looks for
 * the message after its commit.
 *
 * **Time of an event.** An event of a caller's transaction has no time until here, because the transaction may have been open
 * for hours.
 *
 * **Ended tasks.** The checkpoint of a task that was cancelled or has failed stays open. The first message for it takes it
 * out of the index.
 */
function deliverText(tables: TenantTables, which: string): string {
  return `WITH message AS MATERIALIZED (
    SELECT s.id, s.name, coalesce(s.key, s.execution_id::text) AS key, s.execution_id IS NULL AS is_event, s.delivery,
           least(s.created_at, ${tables.clock.now}) AS came_at, ${giftOf(tables)} AS gift
    FROM ${tables.signal} s WHERE NOT s.delivered ${which}
    ORDER BY s.id LIMIT ${LIMIT} FOR NO KEY UPDATE SKIP LOCKED
  ), listed AS MATERIALIZED (
    SELECT m.id, m.is_event, m.delivery, m.gift, m.came_at, w.* FROM message m CROSS JOIN LATERAL (
      SELECT coalesce((m.delivery ->> 'executionId')::uuid, '00000000-0000-0000-0000-000000000000') AS execution_id,
             coalesce((m.delivery ->> 'taskNo')::integer, -1) AS task_no,
             coalesce((m.delivery ->> 'itemNo')::integer, -1) AS item_no
      OFFSET 0
    ) a CROSS JOIN LATERAL (
      (SELECT st.execution_id, st.task_no, st.item_no, st.name AS step, st.started_at, false AS is_end FROM ${tables.step} st
       WHERE st.event_name = m.name AND st.event_key = m.key AND st.status = 'Open' AND st.event_name IS NOT NULL
         AND st.kind = CASE WHEN m.is_event THEN 'event' ELSE 'signal' END
         AND (st.execution_id, st.task_no, st.item_no) > (a.execution_id, a.task_no, a.item_no)
       ORDER BY st.execution_id, st.task_no, st.item_no LIMIT ${SHARE})
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, NULL, true
      OFFSET 0
    ) w
    LIMIT 2 * ${LIMIT}
  ), listener AS MATERIALIZED (
    SELECT st.*, s.* FROM listed st LEFT JOIN LATERAL (
      SELECT t.claim_token AS seen_token, t.wakes AS seen_wakes FROM ${tables.task} t
      WHERE ${taskOf('st')} AND st.gift IS NOT NULL AND st.started_at <= st.came_at AND ${isOnlyWait(tables)}
        AND NOT EXISTS (
          SELECT FROM ${tables.step} h
          WHERE h.execution_id = st.execution_id AND h.task_no = st.task_no AND h.item_no = st.item_no AND h.signal_id = st.id)
      OFFSET 0
    ) s ON true
    ORDER BY ${lockOrder('st.')}
  ), found AS MATERIALIZED (
    SELECT l.*, t.*, t.is_due AND NOT t.is_awake AND NOT t.paused AND t.claim_token = l.seen_token AND t.wakes = l.seen_wakes
             AS is_given
    FROM listener l LEFT JOIN LATERAL (
      SELECT t.completed_at IS NOT NULL AS is_over, t.status || '' = 'Waiting' AS is_due,
             t.status || '' = 'Waiting' AND coalesce(t.run_at <= ${tables.clock.now}, false) AS is_awake, ${LOCKED_TASK}
      FROM ${tables.task} t
      WHERE ${taskOf('l')}
      FOR NO KEY UPDATE SKIP LOCKED
    ) t ON true
  ), target AS MATERIALIZED (
    SELECT DISTINCT ON (execution_id, task_no, item_no) f.*, 1 AS n FROM found f WHERE NOT f.is_over AND NOT f.is_awake
    ORDER BY ${lockOrder('')}, is_given IS TRUE DESC
  ), ${wakeAndClaimClauses(tables, 'target', { isProgress: 'w.is_given' })}, done AS (
    UPDATE ${tables.step} st
    SET status = 'Done', result = g.gift, signal_id = g.id, completed_at = ${tables.clock.now}
    FROM target g
    WHERE g.is_given AND st.execution_id = ANY (ARRAY[g.execution_id]) AND st.task_no = g.task_no AND st.item_no = g.item_no
      AND st.name = g.step AND (SELECT count(*) FROM woken) >= 0
  ), forgotten AS (
    UPDATE ${tables.step} st SET event_name = NULL
    FROM (SELECT DISTINCT execution_id, task_no, item_no, step FROM found WHERE is_over) f
    WHERE st.execution_id = ANY (ARRAY[f.execution_id]) AND st.task_no = f.task_no AND st.item_no = f.item_no
      AND st.name = f.step
  ), part AS MATERIALIZED (
    SELECT f.id, f.is_event,
           bool_or(f.is_end) AND count(*) <= ${SHARE} AS is_last,
           bool_or(NOT f.is_end AND f.is_over IS NULL) AS skips,
           bool_or(f.delivery IS NOT NULL) AS is_later,
           bool_or(coalesce((f.delivery ->> 'skips')::boolean, false)) AS has_skipped,
           (array_agg(json_build_object('executionId', f.execution_id, 'taskNo', f.task_no, 'itemNo', f.item_no)
                      ORDER BY f.execution_id DESC, f.task_no DESC, f.item_no DESC)
            FILTER (WHERE NOT f.is_end))[1] AS up_to
    FROM found f GROUP BY f.id, f.is_event
  ), moved AS (
    UPDATE ${tables.signal} s
    SET delivered = p.is_last AND NOT p.skips AND NOT p.has_skipped,
        delivery = CASE WHEN NOT p.is_last THEN json_build_object(
          'executionId', p.up_to ->> 'executionId', 'taskNo', p.up_to -> 'taskNo', 'itemNo', p.up_to -> 'itemNo',
          'skips', p.skips OR p.has_skipped) END,
        created_at = least(s.created_at, ${tables.clock.now})
    FROM part p
    WHERE s.id = ANY (ARRAY[p.id]) AND NOT (p.is_last AND p.skips AND NOT p.is_later)
    RETURNING s.id, s.name, s.delivered, p.is_event
  ), ${eventStartClause(tables, '(SELECT * FROM moved WHERE delivered)')}
  SELECT ${DELIVERED.selectSome({
    messages: '(SELECT count(*)::integer FROM message)',
    toStart: WORKFLOWS_TO_START,
    isPartial: 'EXISTS (SELECT FROM part p WHERE p.is_last AND (p.skips OR p.has_skipped))',
    hasMore:
      'EXISTS (SELECT FROM part p WHERE NOT p.is_last) OR (SELECT count(*) FROM part) < (SELECT count(*) FROM message)',
  })}
  UNION ALL SELECT ${DELIVERED.selectSome({ ...wokenRow(tables) })} FROM woken c
  UNION ALL SELECT ${DELIVERED.selectSome({
    executionId: 'execution_id',
    taskNo: 'task_no',
    itemNo: 'item_no',
    step: 'step',
    signalId: 'id',
  })} FROM target WHERE is_given AND $2::integer > 0
  UNION ALL SELECT ${DELIVERED.selectSome({ signalId: 'id', payload: 'gift' })} FROM message
  WHERE gift IS NOT NULL AND $2::integer > 0`;
}

/** A column: the payload of event `s` if it can be given, or NULL. */
function giftOf({ signal }: TenantTables): string {
  return `CASE WHEN s.execution_id IS NULL AND pg_column_size(s.payload) <= ${MAX_GIVEN_BYTES} AND (
             SELECT o.id FROM ${signal} o
             WHERE NOT o.delivered AND o.id < s.id AND o.execution_id IS NULL AND o.name = s.name AND o.key = s.key LIMIT 1
           ) IS NULL THEN s.payload END`;
}

/** Up to the limit of all messages, the oldest first. */
export const deliverMessages: Statement<DeliveredRow> = {
  name: 'deliver_messages',
  columns: DELIVERED,
  text: (tables) => deliverText(tables, ''),
};

/** The messages with the ids. Their sender knows them, and need not search the index. */
export const deliverSentMessages: Statement<DeliveredRow> = {
  name: 'deliver_sent_messages',
  columns: DELIVERED,
  text: (tables) => deliverText(tables, `AND s.id = ANY ($${AFTER_CLAIM + 1}::bigint[])`),
};

/**
 * The parameters that follow those of the claims.
 *
 * @param limit - maximum number of messages, and of tasks
 */
export function deliveryValues(limit: number, ids?: readonly string[]): unknown[] {
  return ids === undefined ? [limit] : [limit, plainArray(ids)];
}

export function deliveryOf(rows: readonly DeliveredRow[]): Delivery {
  const first = rows.find(({ messages }) => messages !== null);
  const payloads = new Map<string | null, string | null>();
  const ended = new Map<string, DeliveredRow>();
  const tasks: DeliveredRow[] = [];
  for (const row of rows) {
    if (row.messages !== null) continue;
    if (row.step !== null) ended.set(keyOf(row), row);
    else if (row.signalId !== null) payloads.set(row.signalId, row.payload);
    else tasks.push(row);
  }
  const { claims, due } = wokenOf(tasks);
  return {
    messages: first?.messages ?? 0,
    toStart: first?.toStart ?? [],
    isPartial: first?.isPartial === true,
    hasMore: first?.hasMore === true,
    claims: claims.map((claim) => {
      const end = ended.get(keyOf(claim));
      return end === undefined ? claim : withResult(claim, end, payloads.get(end.signalId) ?? null);
    }),
    due,
  };
}

/** A claim has its steps as they were before the statement: the event that it was given ends its wait. */
function withResult(
  claim: ClaimedTask,
  { step: name }: DeliveredRow,
  result: string | null,
): ClaimedTask {
  const steps = claim.steps?.map((step): StepRow =>
    step.name === name ? { ...step, status: 'Done', result } : step,
  );
  return { ...claim, steps };
}

function keyOf({
  executionId,
  taskNo,
  itemNo,
}: Pick<ClaimedTask, 'executionId' | 'taskNo' | 'itemNo'>): string {
  return `${executionId}/${taskNo}/${itemNo}`;
}
