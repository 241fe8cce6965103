import { boolean, columns, integer, strings } from './columns.js';
import { eventStartClause, WORKFLOWS_TO_START } from './event-start-clause.js';
import { lockOrder, type Statement, type TenantTables } from './statement.js';
import { wakeClause } from './wake-tasks.js';
import type { Delivery } from '../../port/index.js';

const DELIVERED = columns({
  messages: integer,
  due: integer,
  toStart: strings,
  isPartial: boolean,
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
    ORDER BY s.id LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED
  ), listener AS MATERIALIZED (
    SELECT m.id, w.* FROM message m CROSS JOIN LATERAL (
      SELECT st.execution_id, st.task_no, st.item_no, st.name AS step FROM ${tables.step} st
      WHERE st.event_name = m.name AND st.event_key = m.key AND st.status = 'Open' AND st.event_name IS NOT NULL
        AND st.kind = CASE WHEN m.is_event THEN 'event' ELSE 'signal' END
      OFFSET 0
    ) w
    ORDER BY ${lockOrder('w.')}
  ), found AS MATERIALIZED (
    SELECT l.*, t.is_over FROM listener l LEFT JOIN LATERAL (
      SELECT t.completed_at IS NOT NULL AS is_over FROM ${tables.task} t
      WHERE t.execution_id = ANY (ARRAY[l.execution_id]) AND t.task_no = l.task_no AND t.item_no = l.item_no
      FOR NO KEY UPDATE SKIP LOCKED
    ) t ON true
  ), target AS MATERIALIZED (
    SELECT execution_id, task_no, item_no, 1 AS n FROM found WHERE NOT is_over
    GROUP BY 1, 2, 3 ORDER BY ${lockOrder('')}
  ), ${wakeClause(tables, 'target')}, forgotten AS (
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
  SELECT ${DELIVERED.select({
    messages: '(SELECT count(*)::integer FROM message)',
    due: '(SELECT (count(*) FILTER (WHERE is_due))::integer FROM woken)',
    toStart: WORKFLOWS_TO_START,
    isPartial: 'EXISTS (SELECT FROM found f WHERE f.is_over IS NULL)',
  })}`;
}

/** Up to $1 messages of all, the oldest first. */
export const deliverMessages: Statement<DeliveredRow> = {
  name: 'deliver_messages',
  columns: DELIVERED,
  text: (tables) => deliverText(tables, ''),
};

/** The messages with the ids in $2. Their sender knows them, and need not search the index. */
export const deliverSentMessages: Statement<DeliveredRow> = {
  name: 'deliver_sent_messages',
  columns: DELIVERED,
  text: (tables) => deliverText(tables, 'AND s.id = ANY ($2::bigint[])'),
};

export function deliveryOf([row]: readonly DeliveredRow[]): Delivery {
  return row ?? { messages: 0, due: 0, toStart: [], isPartial: false };
}
