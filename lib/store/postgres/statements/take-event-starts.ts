import { bigint, columns, epochMs, instant, integer, json, text } from './columns.js';
import type { Statement } from './statement.js';
import type { EventSubscription, PendingEventStart } from '../../port/index.js';

const PENDING = columns({
  workflow: text,
  eventId: bigint,
  event: text,
  key: text,
  payload: json,
  sentAt: instant,
  attempts: integer,
});

/**
 * Takes starts that are due, with their events. A taken row is due again later, so no other process takes it before, and
 * none is lost with its process. Rows that another process takes at this moment are skipped.
 *
 * A row whose event was deleted by hand goes too.
 *
 * The rows of each subscription are found by an index of their own: rows of workflows that no process serves don't stand in
 * their way.
 */
export const takeEventStarts: Statement<PendingEventStart> = {
  name: 'take_event_starts',
  columns: PENDING,
  text: ({ eventStart, signal, clock }) => `WITH due AS MATERIALIZED (
    SELECT e.signal_id, e.workflow
    FROM unnest($1::text[], $2::text[]) AS k(workflow, event_name) CROSS JOIN LATERAL (
      SELECT e.signal_id, e.workflow FROM ${eventStart} e
      WHERE e.workflow = k.workflow AND e.event_name = k.event_name AND e.due_at <= ${clock.now}
      ORDER BY e.due_at, e.signal_id LIMIT $3::integer FOR NO KEY UPDATE SKIP LOCKED
    ) e
  ), taken AS (
    UPDATE ${eventStart} e
    SET due_at = ${clock.now} + $4::bigint * interval '1 millisecond', attempts = e.attempts + 1
    FROM due d WHERE e.signal_id = d.signal_id AND e.workflow = d.workflow
      AND EXISTS (SELECT FROM ${signal} s WHERE s.id = e.signal_id)
    RETURNING e.signal_id, e.workflow, e.attempts
  ), orphaned AS (
    DELETE FROM ${eventStart} e USING due d WHERE e.signal_id = d.signal_id AND e.workflow = d.workflow
      AND NOT EXISTS (SELECT FROM ${signal} s WHERE s.id = e.signal_id)
  )
  SELECT ${PENDING.select({
    workflow: 't.workflow',
    eventId: 's.id',
    event: 's.name',
    key: 's.key',
    payload: 's.payload',
    sentAt: epochMs('s.created_at'),
    attempts: 't.attempts',
  })}
  FROM taken t JOIN ${signal} s ON s.id = t.signal_id
  ORDER BY s.id`,
};

export function takenValues(
  subscriptions: readonly EventSubscription[],
  limit: number,
  leaseMs: number,
): unknown[] {
  return [
    subscriptions.map(({ workflow }) => workflow),
    subscriptions.map(({ event }) => event),
    limit,
    leaseMs,
  ];
}
