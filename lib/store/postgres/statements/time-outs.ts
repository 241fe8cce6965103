import { boolean, columns, integer, long, orNull, text, timestamp, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import { cancelTasks, countOpenTasks, lockExecutions, MAX_TASKS } from './open-tasks.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import { EXPIRED, type PastDeadline, type TimedOutExecution } from '../../port/index.js';

/** Maximum number of executions that one statement ends. */
const MAX_EXECUTIONS = 100;

/** Class of the advisory locks that are held while timeouts of a schema are enforced. */
const TICKET_CLASS = 1_129_072_452;

const PAST_DEADLINE = columns({
  id: uuid,
  workflow: text,
  timeoutMs: long,
  hasBegun: boolean,
  deadlineAt: timestamp,
});

/** The next executions whose deadline has passed. `$1`, `$2`: the last one of the previous page, or NULL. */
export const readPastDeadlines: Statement<PastDeadline> = {
  name: 'read_past_deadlines',
  columns: PAST_DEADLINE,
  text: (tables) => `SELECT ${PAST_DEADLINE.select({
    id: 'id',
    workflow: 'workflow',
    timeoutMs: 'coalesce(timeout_ms, 0)',
    hasBegun: 'started_at IS NOT NULL',
    deadlineAt: 'deadline_at',
  })} FROM ${tables.execution}
    WHERE deadline_at IS NOT NULL AND deadline_at <= ${tables.clock.statement}
      AND deadline_at >= coalesce($1::timestamptz, '-infinity')
      AND (deadline_at > coalesce($1::timestamptz, '-infinity') OR id > $2::uuid)
    ORDER BY deadline_at, id LIMIT ${MAX_EXECUTIONS}`,
};

/** One row contains the ticket without an execution. All others contain an execution. */
const TIMED_OUT = columns({
  hasTicket: boolean,
  id: orNull(uuid),
  hasWaiters: boolean,
  wasRunning: boolean,
  hasExpired: boolean,
  unsettled: integer,
});
type TimedOutRow = ReturnType<typeof TIMED_OUT.decode>[number];

/**
 * Ends executions whose deadline has passed, many at a time. One that has begun is Failed by its timeout. One that has not
 * begun in time is Cancelled.
 *
 * **One process at a time.** The ticket is a lock that ends with the transaction. Processes that don't get it do nothing.
 *
 * **No waits.** Rows that others have locked are skipped ({@link lockExecutions}), and the next sweep finds them again. An
 * execution ends only if its deadline still applies: only a manual retry can add open tasks, and it sets another deadline.
 */
export const timeOutExecutions: Statement<TimedOutRow> = {
  name: 'time_out_executions',
  columns: TIMED_OUT,
  text: (tables: TenantTables) => `WITH ticket AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(${TICKET_CLASS}, hashtext($4::text)) AS mine
  ), item AS MATERIALIZED (
    SELECT i.id, i.error, n.open, n.changes, sum(n.open) OVER (ORDER BY i.ord) - n.open AS before
    FROM ROWS FROM (unnest($1::uuid[]), unnest($2::integer[])) WITH ORDINALITY AS i(id, error, ord)
    CROSS JOIN LATERAL (
      ${countOpenTasks(tables, 'i.id')}
    ) n
    WHERE (SELECT mine FROM ticket)
  ), ${lockExecutions(
    tables,
    `(SELECT * FROM item WHERE before < ${MAX_TASKS} ORDER BY id)`,
    `coalesce(x.deadline_at, 'infinity') <= ${tables.clock.now}`,
  )}, ${cancelTasks(tables)}, execution AS (
    UPDATE ${tables.execution} x
    SET status = CASE WHEN x.started_at IS NULL THEN 'Cancelled' ELSE 'Failed' END,
        reason = CASE WHEN x.started_at IS NULL THEN '${EXPIRED}' ELSE x.reason END,
        error = CASE WHEN x.started_at IS NOT NULL THEN $3::json -> e.error END, completed_at = ${tables.clock.now}, deadline_at = NULL,
        remaining_leaves = 0
    FROM ending e
    -- Enforces that tasks end first: a CTE executes when its rows are read.
    WHERE ${executionOf('e.id')} AND (SELECT count(*) FROM cancelled) >= 0
    RETURNING x.id, x.has_waiters, x.unsettled, coalesce('Running' = ANY (e.statuses), false) AS was_running, e.error,
              x.started_at IS NULL AS has_expired
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT id, CASE WHEN has_expired THEN 'expired' ELSE 'timedOut' END,
           CASE WHEN NOT has_expired THEN jsonb_build_object('error', ($3::json -> error)::jsonb) END
    FROM execution
  )
  SELECT ${TIMED_OUT.selectSome({ hasTicket: 'mine' })} FROM ticket
  UNION ALL
  SELECT ${TIMED_OUT.selectSome({
    id: 'id',
    hasWaiters: 'has_waiters',
    wasRunning: 'was_running',
    hasExpired: 'has_expired',
    unsettled: 'unsettled::integer',
  })}
  FROM execution`,
};

/** `errorOf` returns the JSON text of the error to store. It is called once per workflow and timeout. */
export function timeOutValues(
  executions: readonly PastDeadline[],
  errorOf: (execution: PastDeadline) => string,
  schema: string,
): unknown[] {
  const errors = new Map<string, string>();
  const indices = executions.map((execution) => {
    const key = `${execution.timeoutMs} ${execution.workflow}`;
    if (!errors.has(key)) errors.set(key, errorOf(execution));
    return [...errors.keys()].indexOf(key);
  });
  return [
    plainArray(executions.map(({ id }) => id)),
    plainArray(indices),
    `[${[...errors.values()].join()}]`,
    schema,
  ];
}

/** The ended executions. Undefined if another process has the ticket. */
export function timedOutOf(rows: readonly TimedOutRow[]): TimedOutExecution[] | undefined {
  if (!rows.some(({ hasTicket }) => hasTicket)) return undefined;
  return rows.flatMap(({ id, hasTicket: _, ...row }) => (id === null ? [] : [{ id, ...row }]));
}
