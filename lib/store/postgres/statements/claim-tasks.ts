import { SUSPECT_AFTER } from './begin-suspect.js';
import { bigint, columns, epochMs, integer, json, long, orNull, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import { leaseClause, leaseValues } from './lease-clause.js';
import { executionOf, NEXT_TOKEN, taskOf, type Statement, type TenantTables } from './statement.js';
import type { Claimant, ClaimedTask, TaskKey } from '../../port/index.js';

/** Bytes of an input, as they are stored, that a claim brings along: of a larger one that many tasks share there is one. */
const MAX_INPUT = 2_000;
/** In place of a task's number: the row has the input of an execution. */
const INPUT_ROW = -1;

/** A claim as statements return it. */
export const CLAIM_COLUMNS = {
  executionId: uuid,
  taskNo: integer,
  definitionId: bigint,
  token: long,
  attempt: integer,
  recoveryAttempts: integer,
  unmetDependencies: integer,
  generation: integer,
  deferredForMs: orNull(long),
  priority: integer,
} as const;

/** The columns of a task's row that {@link CLAIM_COLUMNS} are. */
export function claimOfTask(tables: TenantTables): Record<keyof typeof CLAIM_COLUMNS, string> {
  return {
    executionId: 'execution_id',
    taskNo: 'task_no',
    definitionId: 'definition_id',
    token: 'claim_token',
    attempt: 'attempt',
    recoveryAttempts: 'recovery_attempts',
    unmetDependencies: 'unmet_dependencies',
    generation: 'generation',
    deferredForMs: epochMs(`${tables.clock.now} - deferred_since`),
    priority: 'priority',
  };
}

const CLAIMED = columns({ ...CLAIM_COLUMNS, input: orNull(json) });

/** A claim, or the input of an execution. */
interface ClaimRow extends Omit<ClaimedTask, 'input'> {
  readonly input: string | null;
}

/** Index entries that the walk over levels reads at a time where nothing is due. */
const STRIDE = 64;

/** As a condition on a candidate: no other session has its execution locked, and from here on this transaction has. */
function executionIsFree(tables: TenantTables): string {
  return `
        AND EXISTS (
          SELECT FROM ${tables.execution} e WHERE e.id = t.execution_id FOR NO KEY UPDATE SKIP LOCKED)`;
}

/** A column of the levels, in the order in which they are taken. */
function inOrder(column: string): string {
  return `array_agg(${column} ORDER BY p.priority DESC, p.run_at)`;
}

/** A column of the next row: without its first element, and with the new one, if there is any, in its place. */
function inserted(column: string, element: string): string {
  return `CASE WHEN s.priority IS NULL THEN l.${column}[2:]
                ELSE l.${column}[2:place.before + 1] || ${element} || l.${column}[place.before + 2:] END`;
}

/**
 * Claims tasks that are due, highest priority first, then the longest waiting.
 *
 * Looks at each definition that this process has handlers for, and at each priority among its waiting tasks (a
 * loose index scan): what they have in common is a level. So neither a backlog of definitions that this process cannot run nor
 * a million tasks that are not due yet lie in the way. (`statement_timestamp()`, since the end of an index range has
 * to be stable: with `clock_timestamp()` everything not due would be read and thrown away.)
 *
 * The levels are looked up one after the other, as they are asked for: a WITH RECURSIVE makes its next row when that
 * is read, and LIMIT stops reading. So as many priorities are looked at as tasks are taken, whatever waits behind. A
 * row has the next level of each definition, in the order in which they are taken; the first of them is the row's own,
 * and in the row after it its definition has moved on to its next level. Of levels with one priority the one whose
 * first task waits longest goes first, so between definitions the order is true to one claim.
 *
 * A level whose first task is not due has nothing to take. From there the walk goes on in strides over the index's
 * entries: thousands of delayed tasks with a priority each cost a few pages, and not a descent each. A stride ends at
 * the first level that is due, or goes on below its last one.
 *
 * Each level is locked as far as it is needed and no further. SKIP LOCKED: several processes take different tasks and
 * never wait for each other; and as none locks what it doesn't take, none of them comes away empty because of that.
 *
 * What begins now comes with its input, which never changes: so the first tasks of an execution that was started
 * elsewhere need no reading of their own.
 *
 * The lease stands before what is claimed, because of the lock order: what a WITH changes without being asked for is
 * changed last to first.
 */
export const claimTasks: Statement<ClaimRow> = {
  name: 'claim_tasks',
  columns: CLAIMED,
  text: (tables) => claimText(tables, ''),
};

/**
 * As `claimTasks`, and passes by tasks whose execution another session has locked. For a while after a claim waited for such
 * a lock in vain: it costs a lock for each task, so the usual claim locks only executions that begin, and waits.
 */
export const claimTasksPastLocks: Statement<ClaimRow> = {
  name: 'claim_tasks_past_locks',
  columns: CLAIMED,
  text: (tables) => claimText(tables, executionIsFree(tables)),
};

function claimText(tables: TenantTables, isFree: string): string {
  return `WITH RECURSIVE level AS (
    SELECT ${inOrder('d.id')} AS definition_ids, ${inOrder('p.priority')} AS priorities, ${inOrder('p.run_at')} AS times
    FROM unnest($1::bigint[]) AS d(id) CROSS JOIN LATERAL (
      SELECT t.priority, t.run_at FROM ${tables.task} t
      WHERE t.definition_id = d.id AND t.run_at IS NOT NULL AND NOT t.paused
      ORDER BY t.priority DESC, t.run_at LIMIT 1
    ) p
    HAVING count(*) > 0
    UNION ALL
    SELECT ${inserted('definition_ids', 'l.definition_ids[1]')}, ${inserted('priorities', 's.priority')},
           ${inserted('times', 's.run_at')}
    FROM level l LEFT JOIN LATERAL (
      SELECT c.priority, c.run_at FROM (
        SELECT t.priority, t.run_at FROM ${tables.task} t
        WHERE t.definition_id = l.definition_ids[1] AND t.priority < l.priorities[1]
          AND t.run_at IS NOT NULL AND NOT t.paused
        ORDER BY t.priority DESC, t.run_at
        LIMIT CASE WHEN l.times[1] <= ${tables.clock.statement} THEN 1 ELSE ${STRIDE} END
      ) c
      ORDER BY c.run_at > ${tables.clock.statement},
               CASE WHEN c.run_at <= ${tables.clock.statement} THEN -c.priority::bigint ELSE c.priority END, c.run_at
      LIMIT 1
    ) s ON true CROSS JOIN LATERAL (
      SELECT count(*)::integer AS before FROM unnest(l.priorities[2:], l.times[2:]) AS r(priority, run_at)
      WHERE r.priority > s.priority OR r.priority = s.priority AND r.run_at <= s.run_at
    ) place
    WHERE s.priority IS NOT NULL OR cardinality(l.priorities) > 1
  ), ${leaseClause(tables, 5)}, candidate AS MATERIALIZED (
    SELECT c.execution_id, c.task_no
    FROM level l CROSS JOIN LATERAL (
      SELECT t.execution_id, t.task_no FROM ${tables.task} t
      WHERE l.times[1] <= ${tables.clock.statement}
        AND t.definition_id = l.definition_ids[1] AND t.priority = l.priorities[1]
        AND t.run_at <= ${tables.clock.statement} AND t.run_at IS NOT NULL AND NOT t.paused
        AND ($4::integer[] IS NULL OR NOT EXISTS (
          SELECT FROM unnest($3::bigint[], $4::integer[]) AS x(definition_id, task_no)
          WHERE x.definition_id = t.definition_id AND x.task_no = t.task_no))
        AND ($11::integer[] IS NULL OR NOT EXISTS (
          SELECT FROM unnest($10::uuid[], $11::integer[]) AS x(execution_id, task_no)
          WHERE x.execution_id = t.execution_id AND x.task_no = t.task_no))${isFree}
      ORDER BY t.run_at LIMIT $2::integer
      FOR NO KEY UPDATE SKIP LOCKED
    ) c
    LIMIT $2::integer
  ), claimed AS (
    UPDATE ${tables.task} t
    SET status = 'Running', claim_token = ${NEXT_TOKEN}, owner = $5::uuid, run_at = NULL,
        started_at = CASE WHEN t.recovery_attempts < ${SUSPECT_AFTER} THEN ${tables.clock.now} END
    FROM candidate c
    WHERE ${taskOf('c')}
    RETURNING t.execution_id, t.task_no, t.definition_id, t.claim_token, t.attempt, t.recovery_attempts,
              t.unmet_dependencies, t.generation, t.deferred_since, t.priority
  ), begun AS MATERIALIZED (
    SELECT x.id, x.input FROM (SELECT DISTINCT execution_id FROM claimed ORDER BY 1) c CROSS JOIN LATERAL (
      SELECT e.id, e.input FROM ${tables.execution} e WHERE e.id = c.execution_id AND e.started_at IS NULL FOR NO KEY UPDATE
    ) x
  ), execution AS (
    UPDATE ${tables.execution} x
    SET status = CASE WHEN x.status = 'Pending' THEN 'Running' ELSE x.status END, started_at = ${tables.clock.now},
        deadline_at = ${tables.clock.now} + x.timeout_ms * interval '1 millisecond'
    FROM begun b WHERE ${executionOf('b.id')}
  )
  SELECT ${CLAIMED.selectSome(claimOfTask(tables))}
  FROM claimed
  UNION ALL
  SELECT ${CLAIMED.selectSome({ executionId: 'id', taskNo: String(INPUT_ROW), input: 'input' })}
  FROM begun WHERE pg_column_size(input) <= ${MAX_INPUT}`;
}

/**
 * `unknown` lists tasks of known definitions for which this process has no handler, as [definition, task] pairs;
 * `except` single tasks that are not for this process now.
 */
export function claimValues(
  definitions: readonly string[],
  unknown: readonly (readonly [string, number])[],
  limit: number,
  claimant: Claimant,
  writeLease: boolean,
  except: readonly TaskKey[] = [],
): unknown[] {
  return [
    plainArray(definitions),
    limit,
    unknown.length === 0 ? null : plainArray(unknown.map(([definition]) => definition)),
    unknown.length === 0 ? null : plainArray(unknown.map(([, task]) => task)),
    ...leaseValues(claimant, writeLease),
    except.length === 0 ? null : plainArray(except.map(({ executionId }) => executionId)),
    except.length === 0 ? null : plainArray(except.map(({ taskNo }) => taskNo)),
  ];
}

/** Gives the claims the inputs that came with them. */
export function claimsOf(rows: readonly ClaimRow[]): ClaimedTask[] {
  const inputs = new Map<string, string>();
  for (const { executionId, taskNo, input } of rows) {
    if (taskNo === INPUT_ROW && input !== null) inputs.set(executionId, input);
  }
  return rows
    .filter(({ taskNo }) => taskNo !== INPUT_ROW)
    .map((row) => ({ ...row, input: inputs.get(row.executionId) }));
}
