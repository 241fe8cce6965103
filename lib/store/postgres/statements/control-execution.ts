import { boolean, columns, integer, integers, text } from './columns.js';
import { cancelTasks, lockTasks } from './open-tasks.js';
import type { Statement } from './statement.js';
import type { ControlResult } from '../../port/index.js';

/**
 * Cancel, pause and resume change the task rows of one execution first and the execution last, which is the lock order of
 * all statements. Each task row is tested by itself, as a claim does, so no task escapes between a snapshot and a lock.
 *
 * The order has to be enforced ({@link tasksFirst}): a CTE executes when its rows are read, and the result reads the
 * execution first. Conditions on the execution are written so that no partial index matches them: an index that is nearly
 * empty at a quiet time contains all running executions at a busy one.
 */

/** A row to join the execution with. It exists once all tasks are locked and changed. */
function tasksFirst(tasks: string): string {
  return `FROM (SELECT count(*) FROM ${tasks}) tasks_first`;
}

const CONTROLLED = columns({
  workflow: text,
  hasWaiters: boolean,
  unsettled: integer,
  running: integers,
});
type ControlledRow = ReturnType<typeof CONTROLLED.decode>[number];

function resultOf(tasks: string): string {
  return `SELECT ${CONTROLLED.select({
    workflow: 'x.workflow',
    hasWaiters: 'x.has_waiters',
    unsettled: 'CASE WHEN x.completed_at IS NULL THEN 0 ELSE x.unsettled END::integer',
    running: `(SELECT array_agg(task_no ORDER BY task_no) FROM ${tasks} WHERE was = 'Running')`,
  })} FROM execution x`;
}

/** The reason ($2), and the actor ($3) if there is one. */
const DETAIL =
  "jsonb_build_object('reason', $2::text) || CASE WHEN $3::text IS NULL THEN '{}' ELSE jsonb_build_object('actor', $3::text) END";

export const cancelExecution: Statement<ControlledRow> = {
  name: 'cancel_execution',
  columns: CONTROLLED,
  text: (tables) => `WITH ${lockTasks(tables)}, ${cancelTasks(tables)}, execution AS (
    UPDATE ${tables.execution} x
    SET status = 'Cancelled', reason = $2::text, completed_at = ${tables.clock.now}, deadline_at = NULL,
        remaining_leaves = 0
    ${tasksFirst('cancelled')}
    WHERE x.id = $1::uuid AND x.status || '' IN ('Pending', 'Running', 'Paused') AND x.outcome IS NULL
    RETURNING x.has_waiters, x.workflow, x.unsettled, x.completed_at
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT $1::uuid, 'cancelled', ${DETAIL} FROM execution
  ) ${resultOf('cancelled')}`,
};

export const pauseExecution: Statement<ControlledRow> = {
  name: 'pause_execution',
  columns: CONTROLLED,
  text: (tables) => `WITH ${lockTasks(tables)}, marked AS (
    UPDATE ${tables.task} t SET paused = true
    FROM locked l
    WHERE t.execution_id = l.execution_id AND t.task_no = l.task_no AND t.item_no = l.item_no
    RETURNING t.task_no, NULL::text AS was
  ), execution AS (
    UPDATE ${tables.execution} x SET status = 'Paused', reason = $2::text
    ${tasksFirst('marked')}
    WHERE x.id = $1::uuid AND x.status || '' IN ('Pending', 'Running', 'Finishing')
    RETURNING x.has_waiters, x.workflow, x.unsettled, x.completed_at
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT $1::uuid, 'paused', ${DETAIL} FROM execution
  ) ${resultOf('marked')}`,
};

export const resumeExecution: Statement<ControlledRow> = {
  name: 'resume_execution',
  columns: CONTROLLED,
  text: (tables) => `WITH ${lockTasks(tables)}, released AS (
    UPDATE ${tables.task} t SET paused = false
    FROM locked l
    WHERE t.execution_id = l.execution_id AND t.task_no = l.task_no AND t.item_no = l.item_no
    RETURNING t.task_no, NULL::text AS was
  ), execution AS (
    UPDATE ${tables.execution} x
    SET status = CASE WHEN x.outcome IS NOT NULL THEN 'Finishing' WHEN x.started_at IS NULL THEN 'Pending' ELSE 'Running' END,
        reason = NULL
    ${tasksFirst('released')}
    WHERE x.id = $1::uuid AND x.status || '' = 'Paused'
    RETURNING x.has_waiters, x.workflow, x.unsettled, x.completed_at
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT $1::uuid, 'resumed', CASE WHEN $2::text IS NOT NULL THEN jsonb_build_object('actor', $2::text) END FROM execution
  ) ${resultOf('released')}`,
};

const UNCHANGED: ControlResult = {
  changed: false,
  workflow: '',
  hasWaiters: false,
  unsettled: 0,
  running: [],
};

export function controlOf([row]: readonly ControlledRow[]): ControlResult {
  if (row === undefined) return UNCHANGED;
  return { changed: true, ...row };
}
