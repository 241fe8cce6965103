import { columns, strings } from './columns.js';
import { eventStartClause, WORKFLOWS_TO_START } from './event-start-clause.js';
import type { Statement } from './statement.js';

const STARTED = columns({ workflows: strings });

/** Stores the starts that delivered events ($1) have to make by the subscriptions of now. */
export const startForEvents: Statement<{ readonly workflows: readonly string[] }> = {
  name: 'start_for_events',
  columns: STARTED,
  text: (tables) => `WITH ${eventStartClause(
    tables,
    `(SELECT s.id, s.name, s.execution_id IS NULL AS is_event FROM ${tables.signal} s
      WHERE s.id = ANY ($1::bigint[]) AND s.delivered)`,
  )}
  SELECT ${STARTED.select({ workflows: `coalesce(${WORKFLOWS_TO_START}, '[]'::json)` })}`,
};
