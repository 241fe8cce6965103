import type { BulkAction, BulkReply } from '../../port/index.js';
import { boolean, columns, integer, orNull, text, uuid } from './columns.js';
import { cancelTasks, countOpenTasks, lockExecutions, MAX_TASKS } from './open-tasks.js';
import { executionOf, taskOf, type Statement, type TenantTables } from './statement.js';

const CONTROLLED = columns({
  id: uuid,
  isLeft: boolean,
  workflow: orNull(text),
  hasWaiters: boolean,
  wasRunning: boolean,
  unsettled: integer,
});
type ControlledRow = ReturnType<typeof CONTROLLED.decode>[number];

interface Action {
  /** The statuses from which it is possible. */
  readonly from: string;
  /** Changes the tasks in `locked`. */
  readonly tasks: (tables: TenantTables) => string;
  /** What an execution gets. */
  readonly execution: (tables: TenantTables) => string;
  readonly event: string;
  readonly detail: string;
}

function marked(tables: TenantTables, paused: boolean): string {
  return `changed AS (
    UPDATE ${tables.task} t SET paused = ${paused} FROM locked l WHERE ${taskOf('l')} RETURNING t.task_no
  )`;
}

const ACTOR = `CASE WHEN $3::text IS NOT NULL THEN jsonb_build_object('actor', $3::text) END`;
const REASON = `jsonb_build_object('reason', $2::text) || coalesce(${ACTOR}, '{}')`;

const ACTIONS: Readonly<Record<BulkAction, Action>> = {
  cancel: {
    from: "('Pending', 'Running', 'Paused')",
    tasks: (tables) => `${cancelTasks(tables)}, changed AS (SELECT FROM cancelled)`,
    execution: ({ clock }) =>
      `status = 'Cancelled', reason = $2::text, completed_at = ${clock.now}, deadline_at = NULL, remaining_leaves = 0`,
    event: 'cancelled',
    detail: REASON,
  },
  pause: {
    from: "('Pending', 'Running')",
    tasks: (tables) => marked(tables, true),
    execution: () => "status = 'Paused', reason = $2::text",
    event: 'paused',
    detail: REASON,
  },
  resume: {
    from: "('Paused')",
    tasks: (tables) => marked(tables, false),
    execution: () =>
      "status = CASE WHEN x.started_at IS NULL THEN 'Pending' ELSE 'Running' END, reason = NULL",
    event: 'resumed',
    // Has no reason. Without the parameter, its type would be unknown.
    detail: `CASE WHEN $2::text IS NULL THEN ${ACTOR} END`,
  },
};

/**
 * Cancels, pauses or resumes many executions. Those with rows that others have locked are left ({@link lockExecutions}), and
 * the caller sends them again. A statement takes executions until it has {@link MAX_TASKS} tasks, but at least one.
 */
function controlText(tables: TenantTables, action: Action): string {
  const isFit = `x.status || '' IN ${action.from}`;
  return `WITH item AS MATERIALIZED (
    SELECT i.id, n.open, n.changes, sum(n.open) OVER (ORDER BY i.id) - n.open AS before
    FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) AS u(id)) i CROSS JOIN LATERAL (
      SELECT FROM ${tables.execution} x WHERE ${executionOf('i.id')} AND ${isFit}
    ) x CROSS JOIN LATERAL (
      ${countOpenTasks(tables, 'i.id')}
    ) n
  ), ${lockExecutions(tables, `(SELECT * FROM item WHERE before < ${MAX_TASKS} ORDER BY id)`, isFit)},
  ${action.tasks(tables)}, execution AS (
    UPDATE ${tables.execution} x SET ${action.execution(tables)}
    FROM ending e
    -- Enforces that tasks change first: a CTE executes when its rows are read.
    WHERE ${executionOf('e.id')} AND (SELECT count(*) FROM changed) >= 0
    RETURNING x.id, x.workflow, x.has_waiters, CASE WHEN x.completed_at IS NULL THEN 0 ELSE x.unsettled END AS unsettled,
              coalesce('Running' = ANY (e.statuses), false) AS was_running
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT id, '${action.event}', ${action.detail} FROM execution
  )
  SELECT ${CONTROLLED.selectSome({
    id: 'id',
    isLeft: 'false',
    workflow: 'workflow',
    hasWaiters: 'has_waiters',
    wasRunning: 'was_running',
    unsettled: 'unsettled::integer',
  })} FROM execution
  UNION ALL
  SELECT ${CONTROLLED.selectSome({ id: 'i.id', isLeft: 'true' })} FROM item i
  WHERE (i.id IN (SELECT id FROM ending)) IS NOT TRUE`;
}

function statementOf(action: BulkAction): Statement<ControlledRow> {
  return {
    name: `${action}_executions`,
    columns: CONTROLLED,
    text: (tables) => controlText(tables, ACTIONS[action]),
  };
}

export const controlExecutions: Readonly<Record<BulkAction, Statement<ControlledRow>>> = {
  cancel: statementOf('cancel'),
  pause: statementOf('pause'),
  resume: statementOf('resume'),
};

export function bulkReplyOf(rows: readonly ControlledRow[]): BulkReply {
  const changed = rows.flatMap(({ isLeft, workflow, ...row }) =>
    isLeft || workflow === null ? [] : [{ ...row, workflow }],
  );
  return { changed, left: rows.filter(({ isLeft }) => isLeft).map(({ id }) => id) };
}
