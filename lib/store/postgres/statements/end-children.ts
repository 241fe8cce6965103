import { boolean, columns, integer, orNull, text, uuid } from './columns.js';
import { cancelTasks, OPEN_TASKS } from './control-execution.js';
import { executionOf, lockOrder, type Statement, type TenantTables } from './statement.js';
import { END_CHILDREN, type ChildrenPage } from '../../port/index.js';

/** Maximum number of executions that one statement cancels, and of task rows that it changes if it cancels more than one. */
const MAX_CHILDREN = 200;
const MAX_TASKS = 5_000;

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

/**
 * Cancels children of an execution that has ended without success, a page at a time. A parent with ten thousand children
 * is cancelled by one short statement, and its bit stays set until all of these are ended, so a crash leaves no orphans.
 *
 * Rows that others have locked are skipped, as in `time_out_executions` and for the same reasons. The caller comes back for
 * them. OFFSET keeps the order of the page from choosing the primary key to walk along. A page ends before the bound on tasks, but has at least one execution.
 */
export const endChildren: Statement<EndedRow> = {
  name: 'end_children',
  columns: ENDED,
  text: (tables: TenantTables) => `WITH parent AS MATERIALIZED (
    SELECT x.id FROM ${tables.execution} x
    WHERE x.id = $1::uuid AND x.completed_at IS NOT NULL AND x.unsettled & ${END_CHILDREN} = ${END_CHILDREN}
      AND x.status || '' <> 'Completed'
  ), child AS MATERIALIZED (
    SELECT c.id, n.open, sum(n.open) OVER (ORDER BY c.id) - n.open AS before
    FROM parent p CROSS JOIN LATERAL (
      SELECT c.id FROM (
        SELECT c.id FROM ${tables.execution} c
        WHERE c.parent_execution_id = p.id AND c.parent_execution_id IS NOT NULL AND ${TO_CANCEL}
          AND ($3::uuid IS NULL OR c.id > $3::uuid)
        OFFSET 0
      ) c ORDER BY c.id LIMIT ${MAX_CHILDREN}
    ) c CROSS JOIN LATERAL (
      SELECT count(*) AS open FROM ${tables.task} t WHERE t.execution_id = c.id AND ${OPEN_TASKS}
    ) n
  ), page AS MATERIALIZED (
    SELECT id, open FROM child WHERE before < ${MAX_TASKS} ORDER BY id
  ), all_tasks AS MATERIALIZED (
    SELECT i.id, i.open, l.task_nos, l.item_nos, l.statuses
    FROM page i CROSS JOIN LATERAL (
      SELECT array_agg(task_no) AS task_nos, array_agg(item_no) AS item_nos, array_agg(status) AS statuses FROM (
        SELECT t.task_no, t.item_no, t.status FROM ${tables.task} t
        WHERE t.execution_id = i.id AND ${OPEN_TASKS}
        ORDER BY ${lockOrder('t.')} FOR NO KEY UPDATE SKIP LOCKED
      ) t
    ) l
  ), ending AS MATERIALIZED (
    SELECT a.* FROM all_tasks a CROSS JOIN LATERAL (
      SELECT FROM ${tables.execution} x
      WHERE x.id = a.id AND x.completed_at IS NULL AND x.status || '' <> 'Finishing'
      FOR NO KEY UPDATE SKIP LOCKED
    ) x
    WHERE coalesce(cardinality(a.task_nos), 0) = a.open
  ), locked AS MATERIALIZED (
    SELECT e.id AS execution_id, u.task_no, u.item_no, u.status
    FROM ending e CROSS JOIN LATERAL unnest(e.task_nos, e.item_nos, e.statuses) AS u(task_no, item_no, status)
  ), ${cancelTasks(tables)}, execution AS (
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
