import { bigint, boolean, columns, integer, orNull, text, uuid } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { isOnlyWait } from './only-wait.js';
import { targetClause, UNFINISHED, wasSent } from './send-messages.js';
import { lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  AFTER_CLAIM,
  LOCKED_TASK,
  WOKEN_COLUMNS,
  wakeAndClaimClauses,
  wokenOf,
  wokenRow,
} from './wake-and-claim.js';
import type {
  ClaimedTask,
  SendReply,
  SignalMessage,
  SignalReplies,
  StepRow,
} from '../../port/index.js';

/** A row is a reply (`index` and `isStored`), the id of a signal that was given to no task, a step that has one, or a task. */
const SENT = columns({
  ...WOKEN_COLUMNS,
  index: orNull(integer),
  isStored: orNull(boolean),
  status: orNull(text),
  target: orNull(uuid),
  id: orNull(bigint),
  step: orNull(text),
});
type SentRow = ReturnType<typeof SENT.decode>[number];

/** A condition: the mailbox of row `t` has an older signal of the same name. */
function hasOlder({ signal }: TenantTables): string {
  return `EXISTS (
        SELECT FROM ${signal} s
        WHERE s.execution_id = t.execution_id AND s.name = t.name AND NOT s.consumed AND s.execution_id IS NOT NULL)`;
}

/**
 * Stores signals, and gives each to the task that sleeps in a wait for it: the wait is over, and the task is woken, and
 * claimed if it can run in this process. So a signal that finds its task asleep needs no delivery, no claim and no look.
 *
 * **What it may miss.** The statement looks with the snapshot from before its own commit, so it does not see a wait that
 * begins at this moment. Nothing is lost by that: such a signal is stored like any other, and its delivery looks after the
 * commit.
 *
 * **Asleep.** A task gets a signal here only if its row, once locked, is the version that the snapshot has (the same token,
 * the same number of wake-ups). Then it was neither run nor woken in between, so its wait is still open. The statement never
 * waits for the lock of a task.
 *
 * **Asked for.** The wait has to be the only open one of the task, so that the task certainly sleeps in it. A wait that an
 * earlier run has opened, and that the code no longer asks for, would swallow the signal.
 *
 * **First in, first out.** The first signal of each name in the batch, and none while an older one is in the mailbox. One
 * signal for a task at a time: it may find the others when it runs.
 *
 * **Once.** The signal is stored as consumed in the same statement, and a signal that an earlier send has stored is given to
 * no task, because its row is not inserted.
 */
export const sendSignals: Statement<SentRow> = {
  name: 'send_signals',
  columns: SENT,
  text: (tables) => `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($${AFTER_CLAIM}::uuid[]), json_array_elements_text($${AFTER_CLAIM + 1}::json),
      json_array_elements_text($${AFTER_CLAIM + 2}::json), json_array_elements_text($${AFTER_CLAIM + 3}::json),
      json_array_elements($${AFTER_CLAIM + 4}::json), json_array_elements_text($${AFTER_CLAIM + 5}::json)
    ) WITH ORDINALITY AS i(id, workflow, workflow_key, name, payload, idempotency_key, ord)
  ), ${targetClause(tables)}, sleeper AS MATERIALIZED (
    SELECT t.*, w.task_no, w.item_no, w.step, w.seen_token, w.seen_wakes
    FROM (
      SELECT t.*, row_number() OVER (PARTITION BY t.execution_id, t.name ORDER BY t.ord) AS nth
      FROM target t WHERE t.status IN ${UNFINISHED}
    ) t LEFT JOIN LATERAL (
      SELECT st.task_no, st.item_no, st.name AS step, l.claim_token AS seen_token, l.wakes AS seen_wakes
      FROM ${tables.step} st CROSS JOIN LATERAL (
        SELECT t.claim_token, t.wakes FROM ${tables.task} t
        WHERE ${taskOf('st')} AND t.status || '' = 'Waiting' AND NOT t.paused OFFSET 0
      ) l
      WHERE st.event_name = t.name AND st.event_key = t.execution_id::text AND st.status = 'Open'
        AND st.event_name IS NOT NULL AND st.kind = 'signal'
        AND t.nth = 1 AND NOT ${hasOlder(tables)} AND ${isOnlyWait(tables)}
      ORDER BY ${lockOrder('st.')} LIMIT 1
    ) w ON true
    ORDER BY ${lockOrder('')}
  ), held AS MATERIALIZED (
    SELECT s.*, l.*, row_number() OVER (PARTITION BY s.execution_id, s.task_no, s.item_no ORDER BY s.ord) AS nth_of_task
    FROM sleeper s LEFT JOIN LATERAL (
      SELECT ${LOCKED_TASK} FROM ${tables.task} t
      WHERE ${taskOf('s')} AND t.claim_token = s.seen_token AND t.wakes = s.seen_wakes AND t.status || '' = 'Waiting'
        AND NOT t.paused
      FOR NO KEY UPDATE SKIP LOCKED
    ) l ON true
  ), sent AS (
    INSERT INTO ${tables.signal} (execution_id, name, payload, idempotency_key, created_at, delivered, consumed)
    SELECT h.execution_id, h.name, h.payload, h.idempotency_key, ${tables.clock.now}, g.is_given, g.is_given
    FROM held h CROSS JOIN LATERAL (SELECT h.claim_token IS NOT NULL AND h.nth_of_task = 1 AS is_given) g
    ORDER BY h.ord
    ON CONFLICT DO NOTHING
    RETURNING id, idempotency_key, consumed
  ), ids AS MATERIALIZED (
    SELECT jsonb_object_agg(idempotency_key, id) AS by_key FROM sent WHERE consumed
  ), given AS MATERIALIZED (
    SELECT g.*, 1 AS n, true AS is_due FROM (
      SELECT h.*, ((SELECT by_key FROM ids) ->> h.idempotency_key)::bigint AS signal_id FROM held h
      WHERE h.claim_token IS NOT NULL
    ) g WHERE g.signal_id IS NOT NULL
  ), ${wakeAndClaimClauses(tables, 'given', { isProgress: true })}, done AS (
    UPDATE ${tables.step} st
    SET status = 'Done', result = g.payload, signal_id = g.signal_id, completed_at = ${tables.clock.now}
    FROM given g
    WHERE st.execution_id = ANY (ARRAY[g.execution_id]) AND st.task_no = g.task_no AND st.item_no = g.item_no
      AND st.name = g.step AND (SELECT count(*) FROM woken) >= 0
  )
  SELECT ${SENT.selectSome({
    index: '(t.ord - 1)::integer',
    target: 't.execution_id',
    status: 't.status',
    isStored: `t.status IN ${UNFINISHED} OR ${wasSent(tables)}`,
  })} FROM target t
  UNION ALL SELECT ${SENT.selectSome({ id: 'id' })} FROM sent WHERE NOT consumed
  UNION ALL SELECT ${SENT.selectSome({
    executionId: 'execution_id',
    taskNo: 'task_no',
    itemNo: 'item_no',
    index: '(ord - 1)::integer',
    step: 'step',
  })} FROM given
  UNION ALL SELECT ${SENT.selectSome({ ...wokenRow(tables) })} FROM woken c`,
};

/** The parameters that follow those of the claims. */
export function signalValues(signals: readonly SignalMessage[]): unknown[] {
  const byKey = signals.map(({ to }) => ('key' in to ? to : undefined));
  return [
    plainArray(signals.map(({ to }) => ('id' in to ? to.id : null))),
    JSON.stringify(byKey.map((to) => to?.workflow ?? null)),
    JSON.stringify(byKey.map((to) => to?.key ?? null)),
    JSON.stringify(signals.map(({ name }) => name)),
    jsonColumn(signals.map(({ payload }) => payload)),
    JSON.stringify(signals.map(({ idempotencyKey }) => idempotencyKey)),
  ];
}

export function signalRepliesOf(
  rows: readonly SentRow[],
  signals: readonly SignalMessage[],
): SignalReplies {
  const replies = signals.map((): SendReply => ({
    stored: false,
    executionId: null,
    status: null,
  }));
  const ids: string[] = [];
  const ended: SentRow[] = [];
  const tasks: SentRow[] = [];
  for (const row of rows) {
    const { id, index, isStored, target: executionId, status, step } = row;
    if (id !== null) ids.push(id);
    else if (step !== null) ended.push(row);
    else if (index === null) tasks.push(row);
    else replies[index] = { stored: isStored === true, executionId, status };
  }
  const { claims, due } = wokenOf(tasks);
  return { replies, ids, claims: withPayloads(claims, ended, signals), due };
}

/** The claims read their steps as they were before the statement: the signals that it gave to them end their waits. */
function withPayloads(
  claims: readonly ClaimedTask[],
  ended: readonly SentRow[],
  signals: readonly SignalMessage[],
): ClaimedTask[] {
  const byTask = new Map(ended.map((row) => [keyOf(row), row]));
  return claims.map((claim) => {
    const end = byTask.get(keyOf(claim));
    const result = signals[end?.index ?? -1]?.payload ?? null;
    const steps = claim.steps?.map((step): StepRow =>
      step.name === end?.step ? { ...step, status: 'Done', result } : step,
    );
    return { ...claim, steps };
  });
}

function keyOf({
  executionId,
  taskNo,
  itemNo,
}: Pick<SentRow, 'executionId' | 'taskNo' | 'itemNo'>) {
  return `${executionId}/${taskNo}/${itemNo}`;
}
