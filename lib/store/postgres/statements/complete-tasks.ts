import {
  COMPLETED,
  COMPLETED_TIMED,
  RESULT,
  TIMED_RESULT,
  type CompletedRow,
  type TimedRow,
} from './completion-result.js';
import { jsonColumn, plainArray } from './encoding.js';
import { leaseClause, leaseValues } from './lease-clause.js';
import { executionOf, NEXT_TOKEN, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  type Claimant,
  type Outcome,
  type OutcomeDetail,
  type TaskKey,
  byLockOrder,
} from '../../port/index.js';

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
 * 0. A task that waits for its items keeps its times until the last one. Locking the rows of a phase by a separate statement would cost a fifth more. Only failed tasks that are
 * handled are locked beforehand, because they precede the tasks that handle them.
 *
 * The claim token alone is the fence. Every way out of Running changes it, so a matching token proves a valid claim. And
 * without a condition on the status the planner can't choose a partial index.
 */
function completionText(tables: TenantTables, timed: boolean): string {
  return `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]), unnest($5::text[]),
      json_array_elements_text($6::json), json_array_elements_text($7::json), json_array_elements_text($8::json),
      unnest($9::boolean[]), unnest($10::integer[]), unnest($11::integer[]), unnest($12::integer[]),
      unnest($13::integer[])
    ) AS i(execution_id, task_no, item_no, claim_token, status, output, detail, final_context, leaf, first_edge,
           last_edge, ord, via)
  ), handled_locked AS MATERIALIZED (
    SELECT FROM item i CROSS JOIN LATERAL (
      SELECT FROM ${tables.task} t
      WHERE t.execution_id = i.execution_id AND t.task_no = i.task_no AND t.item_no = i.item_no FOR NO KEY UPDATE
    ) l
    WHERE i.via IS NOT NULL
  ), done AS (
    UPDATE ${tables.task} t
    SET status = i.status, claim_token = t.claim_token + 1, owner = NULL, paused = false,
        output = i.output::json, completed_at = ${tables.clock.now}, deferred_since = NULL,
        skip_reason = i.detail::json ->> 'skipReason',
        deleted_keys = CASE WHEN i.detail IS NOT NULL AND i.detail::json -> 'deletedKeys' IS NOT NULL
          THEN ARRAY(SELECT json_array_elements_text(i.detail::json -> 'deletedKeys')) END,
        error = i.detail::json -> 'error',
        attempt = CASE WHEN i.status = 'Failed' THEN t.attempt + 1 ELSE t.attempt END,
        attempts = CASE WHEN i.status = 'Failed' THEN ${appendAttempt(tables, 'i.detail')} ELSE t.attempts END
    FROM item i
    WHERE ${taskOf('i')} AND t.claim_token = i.claim_token AND i.via IS NULL
      AND (SELECT count(*) FROM handled_locked) >= 0
    RETURNING t.execution_id, t.task_no, t.item_no, i.ord, i.status, i.leaf, i.first_edge, i.last_edge, i.final_context,
              i.detail${timed ? ', t.started_at, t.completed_at' : ''}
  ), handled AS (
    UPDATE ${tables.task} t SET failure_handled = true
    FROM item i
    WHERE ${taskOf('i')} AND i.via IS NOT NULL AND t.status || '' = 'Failed' AND NOT t.failure_handled
      AND (i.via IN (SELECT d.ord FROM done d WHERE d.status = 'Completed')) IS TRUE
    RETURNING t.execution_id, i.via
  ), delta AS MATERIALIZED (
    SELECT d.execution_id, ($14::integer[])[k] AS task_no, 0 AS item_no, count(*)::integer AS terminal,
           count(*) FILTER (WHERE d.status <> 'Completed')::integer AS unmet,
           bool_or(($15::boolean[])[k]) AS claim, max(d.ord) AS ord
    FROM done d CROSS JOIN LATERAL generate_series(d.first_edge, d.last_edge) k
    GROUP BY 1, 2 ORDER BY 1, 2
  ), dependent AS (
    UPDATE ${tables.task} t
    SET pending_dependencies = t.pending_dependencies - d.terminal,
        unmet_dependencies = t.unmet_dependencies + d.unmet,
        status = CASE WHEN ${CLAIMED} THEN 'Running' WHEN ${READY} THEN 'Ready' ELSE t.status END,
        claim_token = CASE WHEN ${CLAIMED} THEN ${NEXT_TOKEN} ELSE t.claim_token END,
        owner = CASE WHEN ${CLAIMED} THEN $16::uuid END,
        started_at = CASE WHEN ${CLAIMED} THEN ${tables.clock.now} ELSE t.started_at END,
        run_at = CASE WHEN ${READY} THEN ${tables.clock.now} WHEN NOT (${CLAIMED}) THEN t.run_at END
    FROM delta d
    WHERE ${taskOf('d')}
    RETURNING d.ord, t.task_no, t.pending_dependencies, t.status, t.paused, t.claim_token, t.unmet_dependencies,
              t.generation, t.wakes, t.has_steps
  ), ending AS MATERIALIZED (
    SELECT c.execution_id, max(c.ord) AS ord, sum(c.leaves)::integer AS leaves, sum(c.failures)::integer AS failures,
           max(c.final_context) AS final_context
    FROM (
      SELECT execution_id, ord, leaf::integer AS leaves, (status = 'Failed')::integer AS failures, final_context
      FROM done WHERE leaf OR status = 'Failed'
      UNION ALL
      SELECT execution_id, via, 0, -1, NULL FROM handled
    ) c
    GROUP BY 1 ORDER BY 1
  ), execution AS (
    UPDATE ${tables.execution} x
    SET remaining_leaves = x.remaining_leaves - e.leaves,
        unhandled_failures = x.unhandled_failures + e.failures,
        status = CASE WHEN x.remaining_leaves > e.leaves THEN x.status
                      WHEN x.unhandled_failures + e.failures > 0 THEN 'Failed' ELSE 'Completed' END,
        context = CASE WHEN x.remaining_leaves = e.leaves THEN e.final_context::json ELSE x.context END,
        completed_at = CASE WHEN x.remaining_leaves = e.leaves THEN ${tables.clock.now} END,
        deadline_at = CASE WHEN x.remaining_leaves > e.leaves THEN x.deadline_at END
    FROM ending e
    WHERE ${executionOf('e.execution_id')}
    RETURNING x.id, e.ord, x.remaining_leaves, x.status, x.has_waiters, x.context IS NULL AS context_missing${
      timed ? ', x.created_at, x.started_at, x.completed_at, x.reason' : ''
    }
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, task_no, item_no, kind, detail)
    SELECT d.execution_id, d.task_no, d.item_no, v ->> 'kind', (v -> 'detail')::jsonb
    FROM done d CROSS JOIN LATERAL json_array_elements(d.detail::json -> 'events') v
    WHERE d.detail IS NOT NULL
    UNION ALL
    SELECT id, NULL, NULL, 'failed', NULL FROM execution WHERE remaining_leaves = 0 AND status = 'Failed'
  ), ${leaseClause(tables, 16)}
  SELECT ${timed ? TIMED_RESULT : RESULT}`;
}

export const completeTasks: Statement<CompletedRow> = {
  name: 'complete_tasks',
  columns: COMPLETED,
  text: (tables) => completionText(tables, false),
};

/**
 * The same for small batches, and for those with an execution whose end a caller awaits. It also returns the times that
 * the rows got, so that the result of the execution needs no read. Large batches do without, because the times of all tasks
 * would be a third of the reply.
 */
export const completeTimedTasks: Statement<TimedRow> = {
  name: 'complete_timed_tasks',
  columns: COMPLETED_TIMED,
  text: (tables) => completionText(tables, true),
};

/** Appends the failed attempt to the row's history, with the row's own times. The newest twenty are kept. */
export function appendAttempt(tables: TenantTables, detail: string): string {
  return `(CASE WHEN jsonb_array_length(coalesce(t.attempts, '[]'::jsonb)) >= 20 THEN t.attempts - 0
      ELSE coalesce(t.attempts, '[]'::jsonb) END)
    || jsonb_build_object('attempt', t.attempt + 1, 'startedAt', t.started_at, 'completedAt', ${tables.clock.now},
                          'owner', t.owner, 'error', (${detail})::jsonb -> 'error')`;
}

/** The parameters of {@link completeTasks}. `outcomes` must be sorted by {@link byLockOrder}. */
export function completionValues(
  outcomes: readonly Outcome[],
  claimant: Claimant,
  writeLease: boolean,
): unknown[] {
  const rows = outcomes.flatMap((outcome, ord) => lockedRows(outcome, ord)).sort(byLockOrder);
  const edges = outcomes.flatMap((outcome) => outcome.dependents);
  const lastEdges: number[] = [];
  let edgeCount = 0;
  for (const outcome of outcomes) lastEdges.push((edgeCount += outcome.dependents.length));
  return [
    plainArray(rows.map((row) => row.executionId)),
    plainArray(rows.map((row) => row.taskNo)),
    plainArray(rows.map((row) => row.itemNo)),
    plainArray(rows.map((row) => (row.via === null ? row.outcome.token : null))),
    plainArray(rows.map((row) => row.outcome.status)),
    jsonColumn(rows.map((row) => row.outcome.output)),
    jsonColumn(rows.map((row) => encodeDetail(row.outcome.detail))),
    jsonColumn(rows.map((row) => row.outcome.finalContext)),
    plainArray(rows.map((row) => row.outcome.leaf)),
    plainArray(rows.map((row) => (lastEdges[row.ord - 1] ?? 0) + 1)),
    plainArray(rows.map((row) => lastEdges[row.ord])),
    plainArray(rows.map((row) => row.ord)),
    plainArray(rows.map((row) => row.via)),
    plainArray(edges.map((edge) => edge.taskNo)),
    plainArray(edges.map((edge) => edge.claim)),
    ...leaseValues(claimant, writeLease),
  ];
}

interface LockedRow extends TaskKey {
  readonly outcome: Outcome;
  readonly ord: number;
  /** For the row of a failed dependency: the index of the outcome that handles it. Null for the outcome's own row. */
  readonly via: number | null;
}

function lockedRows(outcome: Outcome, ord: number): LockedRow[] {
  const { executionId, taskNo, itemNo } = outcome;
  const own: LockedRow = { outcome, ord, executionId, taskNo, itemNo, via: null };
  if (outcome.handles.length === 0) return [own];
  // A dependency is a task, so its row is that of item 0.
  const handled = (no: number): LockedRow => ({ ...own, taskNo: no, itemNo: 0, via: ord });
  return [own, ...outcome.handles.map(handled)];
}

function encodeDetail(detail: OutcomeDetail | null): string | null {
  return detail && JSON.stringify(detail);
}
