import { columns, integer, strings } from './columns.js';
import type { Statement } from './statement.js';
import type { ExpiredEvents } from '../../port/index.js';

const EXPIRED = columns({ events: integer, unstarted: strings });

/**
 * Deletes events that are kept no longer, the earliest first, and with them the starts that they still had to make. It skips
 * events that other processes delete or deliver at the moment.
 */
export const expireEvents: Statement<ExpiredEvents> = {
  name: 'expire_events',
  columns: EXPIRED,
  text: ({ signal, eventStart, clock }) => `WITH expired AS (
    DELETE FROM ${signal} s
    WHERE s.id = ANY (ARRAY(
      SELECT e.id FROM ${signal} e WHERE e.expires_at IS NOT NULL AND e.expires_at <= ${clock.now}
      ORDER BY e.expires_at LIMIT $1::integer FOR UPDATE SKIP LOCKED))
    RETURNING s.id
  ), unstarted AS (
    DELETE FROM ${eventStart} b WHERE b.signal_id = ANY (ARRAY(SELECT id FROM expired)) RETURNING b.workflow
  )
  SELECT ${EXPIRED.select({
    events: '(SELECT count(*)::integer FROM expired)',
    unstarted: '(SELECT json_agg(DISTINCT workflow) FROM unstarted)',
  })}`,
};
