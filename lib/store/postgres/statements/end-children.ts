import { boolean, columns, integer, orNull, text, uuid } from './columns.js';
import { cancelTasks, countOpenTasks, lockExecutions, MAX_TASKS } from './open-tasks.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import { END_CHILDREN, type ChildrenPage } from '../../port/index.js';

/** Maximum number of executions that one statement cancels. */
const MAX_CHILDREN = 200;

/** One row contains the page without an execution. All others contain an execution. */
const ENDED = columns({
  last: orNull(uuid),
  skipped: integer,
  id: orNull(uuid),
  workflow: text,
  hasWaiters: boolean,
  wasRunning: boolean,
  unsettled: integer,
});
type EndedRow = ReturnType<typeof ENDED.decode>[number];

/** A condition: execution `c` is a child that the end of its parent cancels. Its epilogue, if it has begun, ends by itself. */
const TO_CANCEL = `c.completed_at IS NULL AND c.on_parent_end = 'cancel' AND c.status || '' <> 'Finishing'`;

/** A condition: the locked row of execution `x` may still be cancelled. */
const STILL_OPEN = `x.completed_at IS NULL AND x.status || '' <> 'Finishing'`;

/**
 * Cancels children of an execution that has ended without success, a page at a time. A parent with ten thousand children
 * is cancelled by one short statement, and its bit stays set until all of these are ended, so a crash leaves no orphans.
 *
 * Rows that others have locked are skipped ({@link lockExecutions}). The caller comes back for them. OFFSET keeps the order
 * of the page from choosing the primary key to walk along. A page ends before the bound on tasks, but has at least one
 * execution.
 */
export const endChildren: Statement<EndedRow> = {
  name: 'end_children',
  columns: ENDED,
  text: (tables: TenantTables) => `WITH parent AS MATERIALIZED (
    SELECT x.id FROM ${tables.execution} x
    WHERE x.id = $1::uuid AND x.completed_at IS NOT NULL AND x.unsettled & ${END_CHILDREN} = ${END_CHILDREN}
      AND x.status || '' <> 'Completed'
  ), child AS MATERIALIZED (
    SELECT c.id, n.open, n.changes, sum(n.open) OVER (ORDER BY c.id) - n.open AS before
    FROM parent p CROSS JOIN LATERAL (
      SELECT c.id FROM (
        SELECT c.id FROM ${tables.execution} c
        WHERE c.parent_execution_id = p.id AND c.parent_execution_id IS NOT NULL AND ${TO_CANCEL}
          AND ($3::uuid IS NULL OR c.id > $3::uuid)
        OFFSET 0
      ) c ORDER BY c.id LIMIT ${MAX_CHILDREN}
    ) c CROSS JOIN LATERAL (
      ${countOpenTasks(tables, 'c.id')}
    ) n
  ), page AS MATERIALIZED (
    SELECT id, open, changes FROM child WHERE before < ${MAX_TASKS} ORDER BY id
  ), ${lockExecutions(tables, 'page', STILL_OPEN)}, ${cancelTasks(tables)}, execution AS (
    UPDATE ${tables.execution} x
    SET status = 'Cancelled', reason = $2::text, completed_at = ${tables.clock.now}, deadline_at = NULL,
        remaining_leaves = 0
    FROM ending e
    -- Enforces that tasks end first: a CTE executes when its rows are read.
    WHERE ${executionOf('e.id')} AND (SELECT count(*) FROM cancelled) >= 0
    RETURNING x.id, x.workflow, x.has_waiters, x.unsettled,
              coalesce('Running' = ANY (e.statuses), false) AS was_running
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT id, 'cancelled', jsonb_build_object('reason', $2::text) FROM execution
  )
  SELECT ${ENDED.selectSome({
    last: '(SELECT id FROM page ORDER BY id DESC LIMIT 1)',
    skipped: '(SELECT count(*) FROM page)::integer - (SELECT count(*) FROM ending)::integer',
  })}
  UNION ALL
  SELECT ${ENDED.selectSome({
    id: 'id',
    workflow: 'workflow',
    hasWaiters: 'has_waiters',
    wasRunning: 'was_running',
    unsettled: 'unsettled::integer',
  })} FROM execution`,
};

/** Decodes a page. */
export function childrenPageOf(rows: readonly EndedRow[]): ChildrenPage {
  const page = rows.find(({ id }) => id === null);
  return {
    last: page?.last ?? null,
    skipped: page?.skipped ?? 0,
    cancelled: rows.flatMap(({ id, workflow, hasWaiters, wasRunning, unsettled }) =>
      id === null ? [] : [{ id, workflow, hasWaiters, wasRunning, unsettled }],
    ),
  };
}
