import type { TenantTables } from './statement.js';

/**
 * A CTE that stores the starts that events have to make, for every statement that delivers messages. As part of the
 * statement that marks them as delivered, it does so once for each event.
 *
 * Without subscriptions it reads one entry of an empty index for each event, and nothing for a signal. With OFFSET 0 the
 * look-up stays a subquery: as a join, a plan for the empty table would read it as a whole.
 *
 * @param delivered - names rows with the columns `id`, `name` and `is_event`
 */
export function eventStartClause(tables: TenantTables, delivered: string): string {
  return `to_start AS (
    INSERT INTO ${tables.eventStart} (signal_id, workflow, event_name)
    SELECT d.id, b.workflow, d.name FROM ${delivered} d CROSS JOIN LATERAL (
      SELECT b.workflow FROM ${tables.subscription} b WHERE b.event_name = d.name OFFSET 0
    ) b
    WHERE d.is_event
    ON CONFLICT DO NOTHING
    RETURNING workflow
  )`;
}

/** The workflows of {@link eventStartClause}, as JSON; NULL for none. */
export const WORKFLOWS_TO_START = '(SELECT json_agg(DISTINCT workflow) FROM to_start)';
