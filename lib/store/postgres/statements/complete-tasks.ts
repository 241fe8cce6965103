import { batchClause, endedBatchClause } from './claim-batch.js';
import {
  COMPLETED,
  COMPLETED_TIMED,
  RESULT,
  TIMED_RESULT,
  type CompletedRow,
  type TimedRow,
} from './completion-result.js';
import { leaseClause } from './lease-clause.js';
import {
  FULL_ENDS,
  fullChanges,
  handledFailures,
  handledLocked,
  PLAIN_CHANGES,
  PLAIN_ENDS,
} from './outcome-parts.js';
import { END_CHILDREN } from '../../port/index.js';
import { executionOf, NEXT_TOKEN, taskOf, type Statement, type TenantTables } from './statement.js';

const CLAIMED = 'd.claim AND NOT t.paused AND t.pending_dependencies = d.terminal';
const READY = 'NOT (d.claim AND NOT t.paused) AND t.pending_dependencies = d.terminal';

/**
 * Records outcomes with all their consequences in one statement: the tasks, the handled failures of earlier tasks, the
 * dependents' counters (claiming dependents that became ready if this process has capacity), the executions' counters and
 * ends, and the events.
 *
 * It is correct under READ COMMITTED for three reasons:
 * - Each row changes by its own old values, the parameters and counts of rows changed here, never by another row's values.
 * - All changes of one row are grouped into one.
 * - Every phase changes its rows in one order (own tasks, dependents, executions, each sorted), so concurrent batches
 *   don't deadlock.
 *
 * The batch arrives sorted, grouping sorts again, and each update is a nested loop over that, because {@link taskOf} allows
 * no other plan. An edge leads to a task, or from an item to its task, so the row of a dependent is always that of item
 * 0. A task that waits for its items keeps its times until the last one, and one that still stores items its owner. Locking
 * the rows of a phase by a separate statement would cost a fifth more. Only failed tasks that are handled are locked
 * beforehand, because they precede the tasks that handle them.
 *
 * The claim token alone is the fence. Every way out of Running changes it, so a matching token proves a valid claim. And
 * without a condition on the status the planner can't choose a partial index.
 */
export const completeTasks: Statement<CompletedRow> = {
  name: 'complete_tasks',
  columns: COMPLETED,
  text: (tables) => completeText(tables, { isPlain: false, isTimed: false }),
};

/**
 * The same for a batch of plain outcomes (`arePlain`): what is constant for them is a constant, which takes a tenth of the
 * server's time less. All texts are made here, so they can't differ in anything else.
 */
export const completePlainTasks: Statement<CompletedRow> = {
  name: 'complete_plain_tasks',
  columns: COMPLETED,
  text: (tables) => completeText(tables, { isPlain: true, isTimed: false }),
};

/**
 * The same for small batches, and for those with an execution whose end a caller awaits. It also returns the times that
 * the rows got, so that the result of the execution needs no read. Large batches do without, because the times of all tasks
 * would be a third of the reply.
 */
export const completeTimedTasks: Statement<TimedRow> = {
  name: 'complete_timed_tasks',
  columns: COMPLETED_TIMED,
  text: (tables) => completeText(tables, { isPlain: false, isTimed: true }),
};

/** The same for plain outcomes. */
export const completePlainTimedTasks: Statement<TimedRow> = {
  name: 'complete_plain_timed_tasks',
  columns: COMPLETED_TIMED,
  text: (tables) => completeText(tables, { isPlain: true, isTimed: true }),
};

/** The event of an execution that has failed. */
function failedEnds(more = ''): string {
  return `SELECT id, NULL::integer, NULL::integer, 'failed', NULL::jsonb${more} FROM execution
    WHERE remaining_leaves = 0 AND status = 'Failed'`;
}

/** The events of an execution have the order of the batch, which is that of the tasks. The event of its end is the last. */
function eventsInOrder(): string {
  return `SELECT execution_id, task_no, item_no, kind, detail FROM (
      SELECT d.execution_id, d.task_no, d.item_no, v.event ->> 'kind' AS kind, (v.event -> 'detail')::jsonb AS detail,
             d.ord, v.no
      FROM done d CROSS JOIN LATERAL json_array_elements(d.detail::json -> 'events') WITH ORDINALITY AS v(event, no)
      WHERE d.detail IS NOT NULL
      UNION ALL
      ${failedEnds(', NULL, NULL')}
    ) e ORDER BY e.ord, e.no`;
}

interface Variant {
  readonly isPlain: boolean;
  readonly isTimed: boolean;
}

function completeText(tables: TenantTables, { isPlain, isTimed }: Variant): string {
  const full = (text: string): string => (isPlain ? '' : text);
  const timed = (text: string): string => (isTimed ? text : '');
  return `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]),
      json_array_elements_text($5::json), json_array_elements_text($6::json), unnest($7::boolean[]),
      unnest($8::integer[]), unnest($9::integer[]), unnest($10::integer[])${full(`,
      unnest($20::text[]), json_array_elements_text($21::json), unnest($22::integer[])`)}
    ) AS i(execution_id, task_no, item_no, claim_token, output, final_context, leaf, first_edge,
           last_edge, ord${full(', status, detail, via')})
  ), ${full(handledLocked(tables))}done AS (
    UPDATE ${tables.task} t
    SET claim_token = t.claim_token + 1, owner = NULL, paused = false,
        output = i.output::json, completed_at = ${tables.clock.now}, deferred_since = NULL,
        ${isPlain ? PLAIN_CHANGES : fullChanges(tables)}
    FROM item i
    WHERE ${taskOf('i')} AND t.claim_token = i.claim_token${full(` AND i.via IS NULL
      AND (SELECT count(*) FROM handled_locked) >= 0`)}
    RETURNING t.execution_id, t.task_no, t.item_no, i.ord, t.status, i.leaf, i.first_edge, i.last_edge,
              i.final_context${full(', i.detail')}${timed(', t.started_at, t.completed_at')}
  ), ${full(handledFailures(tables))}delta AS MATERIALIZED (
    SELECT d.execution_id, ($11::integer[])[k] AS task_no, 0 AS item_no, count(*)::integer AS terminal,
           ${full(`count(*) FILTER (WHERE d.status <> 'Completed')::integer AS unmet,
           `)}bool_or(($12::boolean[])[k]) AS claim, max(d.ord) AS ord
    FROM done d CROSS JOIN LATERAL generate_series(d.first_edge, d.last_edge) k
    GROUP BY 1, 2 ORDER BY 1, 2
  ), dependent AS (
    UPDATE ${tables.task} t
    SET pending_dependencies = t.pending_dependencies - d.terminal,
        ${full(`unmet_dependencies = t.unmet_dependencies + d.unmet,
        `)}status = CASE WHEN ${CLAIMED} THEN 'Running' WHEN ${READY} THEN 'Ready' ELSE t.status END,
        claim_token = CASE WHEN ${CLAIMED} THEN ${NEXT_TOKEN} ELSE t.claim_token END,
        owner = CASE WHEN ${CLAIMED} THEN $13::uuid ELSE t.owner END,
        started_at = CASE WHEN ${CLAIMED} THEN ${tables.clock.now} ELSE t.started_at END,
        run_at = CASE WHEN ${READY} THEN ${tables.clock.now} WHEN NOT (${CLAIMED}) THEN t.run_at END
    FROM delta d
    WHERE ${taskOf('d')}
    RETURNING t.execution_id, t.item_no, d.ord, t.task_no, t.pending_dependencies, t.status, t.paused, t.claim_token,
              t.unmet_dependencies, t.generation, t.wakes, t.has_steps
  ), ending AS MATERIALIZED (
    ${isPlain ? PLAIN_ENDS : FULL_ENDS}
    GROUP BY 1 ORDER BY 1
  ), execution AS (
    UPDATE ${tables.execution} x
    SET remaining_leaves = x.remaining_leaves - e.leaves,
        unhandled_failures = x.unhandled_failures + e.failures,
        status = CASE WHEN x.remaining_leaves > e.leaves THEN x.status
                      WHEN x.unhandled_failures + e.failures > 0 THEN 'Failed' ELSE 'Completed' END,
        context = CASE WHEN x.remaining_leaves = e.leaves THEN e.final_context::json ELSE x.context END,
        completed_at = CASE WHEN x.remaining_leaves = e.leaves THEN ${tables.clock.now} END,
        deadline_at = CASE WHEN x.remaining_leaves > e.leaves THEN x.deadline_at END,
        -- The children of a Completed execution continue, so its end has nothing to do for them.
        unsettled = CASE WHEN x.remaining_leaves = e.leaves AND x.unhandled_failures + e.failures = 0
                         THEN x.unsettled & ~${END_CHILDREN} ELSE x.unsettled END
    FROM ending e
    WHERE ${executionOf('e.execution_id')}
    RETURNING x.id, e.ord, x.remaining_leaves, x.status, x.has_waiters, x.unsettled, x.context IS NULL AS context_missing${timed(
      ', x.created_at, x.started_at, x.completed_at, x.reason',
    )}
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, task_no, item_no, kind, detail)
    ${isPlain ? failedEnds() : eventsInOrder()}
  ), ${leaseClause(tables, 13)}, ${batchClause(tables, {
    instance: '$13',
    no: '$18',
    from: "dependent c WHERE c.pending_dependencies = 0 AND c.status = 'Running'",
  })}, ${endedBatchClause(tables, '$13', '$19')}
  SELECT ${isTimed ? TIMED_RESULT : RESULT}`;
}
