import { columns, integer, strings } from './columns.js';
import { taskOf, type Statement, type TenantTables } from './statement.js';
import { EVENT_GRACE_MS, type ExpiredEvents } from '../../port/index.js';

const EXPIRED = columns({ events: integer, unstarted: strings });

/**
 * Deletes events that are kept no longer, the earliest first, and with them the starts that they still had to make. It skips
 * events that other processes delete or deliver at the moment.
 *
 * An event that came while a wait for it was open is kept until the wait has taken it, because the task that it has woken may
 * have to wait for a slot. It gets a later time, so that it is not the first of the index at each look. With LIMIT, the
 * look-up stays a subquery: as a join, a plan may read all open waits.
 */
export const expireEvents: Statement<ExpiredEvents> = {
  name: 'expire_events',
  columns: EXPIRED,
  text: (tables) => `WITH due AS MATERIALIZED (
    SELECT e.id, ${isAwaited(tables)} AS is_awaited FROM ${tables.signal} e
    WHERE e.expires_at IS NOT NULL AND e.expires_at <= ${tables.clock.now}
    ORDER BY e.expires_at LIMIT $1::integer FOR UPDATE SKIP LOCKED
  ), kept AS (
    UPDATE ${tables.signal} s SET expires_at = ${tables.clock.now} + ${EVENT_GRACE_MS} * interval '1 millisecond'
    WHERE s.id = ANY (ARRAY(SELECT id FROM due WHERE is_awaited))
  ), expired AS (
    DELETE FROM ${tables.signal} s WHERE s.id = ANY (ARRAY(SELECT id FROM due WHERE NOT is_awaited))
    RETURNING s.id
  ), unstarted AS (
    DELETE FROM ${tables.eventStart} b WHERE b.signal_id = ANY (ARRAY(SELECT id FROM expired)) RETURNING b.workflow
  )
  SELECT ${EXPIRED.select({
    events: '(SELECT count(*)::integer FROM due)',
    unstarted: '(SELECT json_agg(DISTINCT workflow) FROM unstarted)',
  })}`,
};

/** A column: whether a task has an open wait that began before event `e` came. */
function isAwaited({ step, task }: TenantTables): string {
  return `(
      SELECT true FROM ${step} st CROSS JOIN LATERAL (
        SELECT FROM ${task} t WHERE ${taskOf('st')} AND t.completed_at IS NULL OFFSET 0
      ) t
      WHERE st.event_name = e.name AND st.event_key = e.key AND st.status = 'Open' AND st.event_name IS NOT NULL
        AND st.kind = 'event' AND st.started_at <= e.created_at
      LIMIT 1) IS TRUE`;
}
