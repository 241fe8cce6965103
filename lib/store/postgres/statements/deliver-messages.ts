import { boolean, columns, integer, orNull, strings } from './columns.js';
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
import type { Delivery } from '../../port/index.js';

/** The first row has what the messages were and are to start, and whether some are left. The others are tasks. */
const DELIVERED = columns({
  ...WOKEN_COLUMNS,
  messages: orNull(integer),
  toStart: orNull(strings),
  isPartial: orNull(boolean),
});
type DeliveredRow = ReturnType<typeof DELIVERED.decode>[number];

/**
 * Wakes the tasks that listen for stored messages, by the index of open checkpoints.
 *
 * **Plan.** With OFFSET 0, the look-up of a message's checkpoints stays a subquery: as a join, a plan for a small table would
 * read all open checkpoints, and stay in use while the table grows.
 *
 * **It waits for no lock.** Messages that another process is delivering are skipped, and so are tasks whose row is locked at
 * the moment. A message with such a task stays undelivered, and the next delivery wakes the task. If it waited, it could
 * deadlock with a task that holds its own row and takes the message.
 *
 * **Time of an event.** An event of a caller's transaction has no time until here, because the transaction may have been open
 * for hours.
 *
 * **Ended tasks.** The checkpoint of a task that was cancelled or has failed stays open. The first message for it takes it
 * out of the index.
 */
function deliverText(tables: TenantTables, which: string): string {
  return `WITH message AS MATERIALIZED (
    SELECT s.id, s.name, coalesce(s.key, s.execution_id::text) AS key, s.execution_id IS NULL AS is_event
    FROM ${tables.signal} s WHERE NOT s.delivered ${which}
    ORDER BY s.id LIMIT $${AFTER_CLAIM}::integer FOR NO KEY UPDATE SKIP LOCKED
  ), listener AS MATERIALIZED (
    SELECT m.id, w.* FROM message m CROSS JOIN LATERAL (
      SELECT st.execution_id, st.task_no, st.item_no, st.name AS step FROM ${tables.step} st
      WHERE st.event_name = m.name AND st.event_key = m.key AND st.status = 'Open' AND st.event_name IS NOT NULL
        AND st.kind = CASE WHEN m.is_event THEN 'event' ELSE 'signal' END
      OFFSET 0
    ) w
    ORDER BY ${lockOrder('w.')}
  ), found AS MATERIALIZED (
    SELECT l.*, t.* FROM listener l LEFT JOIN LATERAL (
      SELECT t.completed_at IS NOT NULL AS is_over, t.status || '' = 'Waiting' AS is_due, ${LOCKED_TASK}
      FROM ${tables.task} t
      WHERE ${taskOf('l')}
      FOR NO KEY UPDATE SKIP LOCKED
    ) t ON true
  ), target AS MATERIALIZED (
    SELECT DISTINCT ON (execution_id, task_no, item_no) f.*, 1 AS n FROM found f WHERE NOT f.is_over
    ORDER BY ${lockOrder('')}
  ), ${wakeAndClaimClauses(tables, 'target', { isProgress: false })}, forgotten AS (
    UPDATE ${tables.step} st SET event_name = NULL
    FROM (SELECT DISTINCT execution_id, task_no, item_no, step FROM found WHERE is_over) f
    WHERE st.execution_id = ANY (ARRAY[f.execution_id]) AND st.task_no = f.task_no AND st.item_no = f.item_no
      AND st.name = f.step
  ), delivered AS (
    UPDATE ${tables.signal} s
    SET delivered = true, created_at = least(s.created_at, ${tables.clock.now})
    FROM message m
    WHERE s.id = ANY (ARRAY[m.id]) AND s.id <> ALL (ARRAY(SELECT f.id FROM found f WHERE f.is_over IS NULL))
    RETURNING s.id, s.name, m.is_event
  ), ${eventStartClause(tables, 'delivered')}
  SELECT ${DELIVERED.selectSome({
    messages: '(SELECT count(*)::integer FROM message)',
    toStart: WORKFLOWS_TO_START,
    isPartial: 'EXISTS (SELECT FROM found f WHERE f.is_over IS NULL)',
  })}
  UNION ALL SELECT ${DELIVERED.selectSome({ ...wokenRow(tables) })} FROM woken c`;
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

/** The parameters that follow those of the claims. */
export function deliveryValues(limit: number, ids?: readonly string[]): unknown[] {
  return ids === undefined ? [limit] : [limit, plainArray(ids)];
}

export function deliveryOf(rows: readonly DeliveredRow[]): Delivery {
  const first = rows.find(({ messages }) => messages !== null);
  const woken = wokenOf(rows.filter(({ messages }) => messages === null));
  return {
    messages: first?.messages ?? 0,
    toStart: first?.toStart ?? [],
    isPartial: first?.isPartial === true,
    ...woken,
  };
}
