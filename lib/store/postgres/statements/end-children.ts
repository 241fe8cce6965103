import { boolean, columns, integer, orNull, text, uuid } from './columns.js';
import { cancelTasks, countOpenTasks, lockExecutions, MAX_TASKS } from './open-tasks.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import { END_CHILDREN, type ChildrenPage, type ClaimKey } from '../../port/index.js';

/** Maximum number of executions that one statement cancels. */
const MAX_CHILDREN = 200;
/** Ids before the first and not before the last one of any execution. */
const FIRST = '00000000-0000-0000-0000-000000000000';
const LAST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

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
 */
export const endChildren: Statement<EndedRow> = {
  name: 'end_children',
  columns: ENDED,
  text: (tables) =>
    cancelPage(tables, {
      parent: `SELECT x.id FROM ${tables.execution} x
    WHERE x.id = $1::uuid AND x.completed_at IS NOT NULL AND x.unsettled & ${END_CHILDREN} = ${END_CHILDREN}
      AND x.status || '' <> 'Completed'`,
      which: TO_CANCEL,
    }),
};

/**
 * Cancels the children of the Cancelled items of a map, a page at a time. The map holds its claim until none is left, so a
 * crash leaves no orphans. The row of the map is locked: a manual retry, which opens these items again, comes after it.
 */
export const endItemChildren: Statement<EndedRow> = {
  name: 'end_item_children',
  columns: ENDED,
  text: (tables) =>
    cancelPage(tables, {
      parent: `SELECT t.execution_id AS id FROM ${tables.task} t
    WHERE t.execution_id = $1::uuid AND t.task_no = $4::integer AND t.item_no = 0 AND t.claim_token = $5::bigint
    FOR NO KEY UPDATE`,
      which: `${TO_CANCEL} AND c.parent_task_no = $4::integer AND EXISTS (
            SELECT FROM ${tables.task} t
            WHERE t.execution_id = ANY (ARRAY[c.parent_execution_id]) AND t.task_no = c.parent_task_no
              AND t.item_no = c.parent_item_no AND t.item_no > 0 AND t.status || '' = 'Cancelled')`,
    }),
};

export function endItemChildrenValues(
  { executionId, taskNo, token }: ClaimKey,
  reason: string,
  after: string | null,
): unknown[] {
  return [executionId, reason, after, taskNo, token];
}

/**
 * Rows that others have locked are skipped ({@link lockExecutions}). The caller comes back for them. A page ends before the bound
 * on tasks, but has at least one execution.
 *
 * **Pages.** A page reads the children behind the one before, and no others, by the index of parents. Its range and its order
 * have both columns of the index: with an equal parent, the order would be that of the primary key too, and a plan could walk
 * along that through all executions.
 *
 * @param of - `parent` selects the id of the parent, or no row; `which` is a condition on a child `c`
 */
function cancelPage(
  tables: TenantTables,
  of: { readonly parent: string; readonly which: string },
): string {
  return `WITH parent AS MATERIALIZED (
    ${of.parent}
  ), child AS MATERIALIZED (
    SELECT c.id, n.open, n.changes, sum(n.open) OVER (ORDER BY c.id) - n.open AS before
    FROM parent p CROSS JOIN LATERAL (
      SELECT c.id FROM ${tables.execution} c
      WHERE (c.parent_execution_id, c.id) > (p.id, coalesce($3::uuid, '${FIRST}')) AND (c.parent_execution_id, c.id) <= (p.id, '${LAST}')
        AND c.parent_execution_id IS NOT NULL AND ${of.which}
      ORDER BY c.parent_execution_id, c.id LIMIT ${MAX_CHILDREN}
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
  })} FROM execution`;
}

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
