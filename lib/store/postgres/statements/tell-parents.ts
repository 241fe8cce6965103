import { MAX_INPUT } from './claimed-clauses.js';
import { columns, json, orNull, text } from './columns.js';
import { executionOf, lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  AFTER_CLAIM,
  claimOfRow,
  LOCKED_TASK,
  WOKEN_COLUMNS,
  wakeAndClaimClauses,
  wokenRow,
} from './wake-and-claim.js';
import {
  CHILD_EVENT,
  TELL_PARENTS,
  type ClaimedTask,
  type StepRow,
  type WokenTask,
} from '../../port/index.js';

/** A row is a task, or with a `name` a step that the statement has ended. */
const TOLD = columns({
  ...WOKEN_COLUMNS,
  name: orNull(text),
  status: orNull(text),
  result: orNull(json),
  error: orNull(json),
  context: orNull(json),
});
type ToldRow = ReturnType<typeof TOLD.decode>[number];

/**
 * A condition that is true, and has the statement's commit not wait until it is on disk. A crash of the server may then undo
 * the statement as a whole: the child's end is reported again, because its bit is set as before, and the parent's claim is lost
 * like any other that a database has forgotten. Whatever the parent stores later is behind this commit in the WAL, so it can't
 * outlive it.
 */
const WITHOUT_FLUSH = `(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL`;

/** The columns of an ended execution `x` that a waiting step gets: its status, and why it did not complete. */
function endOf(tables: TenantTables): string {
  return `x.id, x.status, x.workflow, x.generation, x.reason,
           CASE WHEN x.status = 'Completed' AND pg_column_size(x.context) <= ${MAX_INPUT} THEN x.context END AS context,
           CASE WHEN x.error IS NULL AND x.status = 'Failed' THEN (
             SELECT t.error FROM ${tables.task} t
             WHERE t.execution_id = x.id AND t.status = 'Failed' AND NOT t.failure_handled
             ORDER BY t.task_no, t.item_no LIMIT 1)
           ELSE x.error END AS error`;
}

/**
 * The CTEs that end open steps and wake their tasks. `waiting` must have a row for each step: its key, and `status`,
 * `result` and `error` of the end; for one that Completed, its `context`.
 *
 * Tasks come before their steps in the lock order. A Waiting task decides by its own row: `pending_dependencies` is the
 * number of children that it still waits for, if it wants to be woken by the last one only, and otherwise 0. So no count of
 * steps is needed, which a statement at the same time would make wrong. The end of a child is progress, as a recorded step
 * is, so the failed attempts before it no longer count.
 */
function tellClauses(tables: TenantTables): string {
  return `item AS MATERIALIZED (
    SELECT execution_id, task_no, item_no, count(*)::integer AS n FROM waiting
    GROUP BY 1, 2, 3 ORDER BY ${lockOrder('')}
  ), held AS MATERIALIZED (
    SELECT i.*, l.* FROM item i CROSS JOIN LATERAL (
      SELECT t.status || '' = 'Waiting' AND t.pending_dependencies <= i.n AS is_due, ${LOCKED_TASK} FROM ${tables.task} t
      WHERE ${taskOf('i')} AND t.completed_at IS NULL
      FOR NO KEY UPDATE
    ) l
  ), ${wakeAndClaimClauses(tables, 'held', { isProgress: true, isJoin: true })}, step AS (
    UPDATE ${tables.step} s
    SET status = w.status, result = w.result, error = w.error, completed_at = ${tables.clock.now}
    FROM waiting w
    WHERE s.execution_id = ANY (ARRAY[w.execution_id]) AND s.task_no = w.task_no AND s.item_no = w.item_no
      AND s.name = w.name AND s.status || '' = 'Open' AND (SELECT count(*) FROM woken) >= 0
    RETURNING s.execution_id, s.task_no, s.item_no, s.name, s.status, s.result, s.error, w.context
  )`;
}

/** The rows of the statement: the tasks, and if it may claim, the steps that it has ended. */
function toldRows(tables: TenantTables): string {
  return `SELECT ${TOLD.selectSome({ ...wokenRow(tables) })} FROM woken c
  UNION ALL SELECT ${TOLD.selectSome({
    executionId: 'execution_id',
    taskNo: 'task_no',
    itemNo: 'item_no',
    name: 'name',
    status: 'status',
    result: 'result',
    error: 'error',
    context: 'context',
  })} FROM step WHERE $2::integer > 0`;
}

/**
 * Tells the tasks that wait for executions that these have ended.
 *
 * It runs after the end, in a statement of its own: the statement that ends a child has locked executions already when the
 * parent's task would come. Every end that is missed has its row in the index of unsettled ends, because all that puts a
 * row there is that it has ended.
 *
 * The ends are read from the snapshot. An end is final within a generation, so the bit is cleared only if the row is still
 * that of the generation that was read: an execution that was retried in between tells its next end.
 *
 * With OFFSET 0, the look-up of the steps stays a subquery: as a join, a plan may read all steps that wait for children, and
 * compare each of them with each end.
 *
 * A step with `retryFrom` belongs to a retry of the parent, which runs the child again. It does not take the former end.
 */
export const tellParents: Statement<ToldRow> = {
  name: 'tell_parents',
  columns: TOLD,
  text: (tables: TenantTables) => `WITH ended AS MATERIALIZED (
    SELECT e.* FROM unnest($${AFTER_CLAIM}::uuid[]) AS i(id) CROSS JOIN LATERAL (
      SELECT ${endOf(tables)} FROM ${tables.execution} x
      WHERE ${executionOf('i.id')} AND x.completed_at IS NOT NULL AND ${WITHOUT_FLUSH}
        AND ($${AFTER_CLAIM + 1}::boolean OR x.unsettled & ${TELL_PARENTS} = ${TELL_PARENTS})
    ) e
  ), waiting AS MATERIALIZED (
    SELECT s.execution_id, s.task_no, s.item_no, s.name,
           CASE WHEN e.status = 'Completed' THEN 'Done' ELSE 'Failed' END AS status,
           CASE WHEN e.status <> 'Completed' THEN json_build_object(
             'status', e.status, 'workflow', e.workflow, 'reason', e.reason, 'error', e.error) END AS result,
           CASE WHEN e.status <> 'Completed' THEN e.error END AS error, e.context
    FROM ended e CROSS JOIN LATERAL (
      SELECT s.execution_id, s.task_no, s.item_no, s.name FROM ${tables.step} s
      WHERE s.event_name = '${CHILD_EVENT}' AND s.event_name IS NOT NULL AND s.event_key = e.id::text
        AND s.status = 'Open' AND coalesce((s.result ->> 'retryFrom')::integer < e.generation, true)
      OFFSET 0
    ) s
  ), ${tellClauses(tables)}, told AS (
    UPDATE ${tables.execution} x SET unsettled = x.unsettled & ~${TELL_PARENTS}
    FROM (SELECT id, generation FROM ended ORDER BY id) e
    WHERE ${executionOf('e.id')} AND x.unsettled & ${TELL_PARENTS} = ${TELL_PARENTS}
      AND x.completed_at IS NOT NULL AND x.generation = e.generation AND (SELECT count(*) FROM step) >= 0
  )
  ${toldRows(tables)}`,
};

/**
 * The same for executions that were deleted: their steps would stay open forever. It reads the index of open waits, in
 * which the steps that wait for children are together.
 */
export const tellMissing: Statement<ToldRow> = {
  name: 'tell_missing',
  columns: TOLD,
  text: (tables: TenantTables) => `WITH waiting AS MATERIALIZED (
    SELECT s.execution_id, s.task_no, s.item_no, s.name, 'Failed'::text AS status,
           json_build_object('status', 'Missing') AS result, NULL::json AS error, NULL::json AS context
    FROM ${tables.step} s
    WHERE s.event_name = '${CHILD_EVENT}' AND s.event_name IS NOT NULL AND s.status = 'Open'
      AND NOT EXISTS (SELECT FROM ${tables.execution} x WHERE x.id = s.child_id)
    LIMIT $${AFTER_CLAIM}::integer
  ), ${tellClauses(tables)}
  ${toldRows(tables)}`,
};

/** The woken tasks. A claim has its steps with the ends that the statement has told. */
export function toldOf(rows: readonly ToldRow[]): WokenTask[] {
  const ended = new Map<string, ToldRow>();
  for (const row of rows) if (row.name !== null) ended.set(stepKey(row, row.name), row);
  return rows
    .filter(({ name }) => name === null)
    .map((row) => {
      const { executionId, taskNo, itemNo, isDue } = row;
      const claim = claimOfRow(row);
      const woken = { executionId, taskNo, itemNo, isDue };
      return claim === undefined ? woken : { ...woken, claim: withEnds(claim, ended) };
    });
}

function withEnds(claim: ClaimedTask, ended: ReadonlyMap<string, ToldRow>): ClaimedTask {
  const steps = claim.steps?.map((step): StepRow => {
    const end = ended.get(stepKey(claim, step.name));
    if (end === undefined) return step;
    const { result, error, context } = end;
    const status = end.status as StepRow['status'];
    return {
      ...step,
      status,
      result,
      error,
      ...(context === null ? {} : { childContext: context }),
    };
  });
  return { ...claim, steps };
}

function stepKey(
  { executionId, taskNo, itemNo }: Pick<ToldRow, 'executionId' | 'taskNo' | 'itemNo'>,
  name: string,
): string {
  return `${executionId}/${taskNo}/${itemNo}/${name}`;
}
