import { columns, epochMs, json, long, orNull } from './columns.js';
import { CLAIMABLE, executionIsFree, RUNS_HERE } from './claimable-tasks.js';
import {
  CLAIM_COLUMNS,
  claimedClauses,
  claimOfTask,
  EXPIRED_OF_BEGUN,
  EXPIRED_ROW,
  INPUT_IS_SMALL,
  INPUT_ROW,
} from './claimed-clauses.js';
import { plainArray } from './encoding.js';
import { batchClause } from './claim-batch.js';
import { leaseClause, leaseValues } from './lease-clause.js';
import type { Statement, TenantTables } from './statement.js';
import type { Claimant, ClaimedTask, TaskKey } from '../../port/index.js';

const CLAIMED = columns({ ...CLAIM_COLUMNS, input: orNull(json) });
const TIMED = columns({ ...CLAIM_COLUMNS, input: orNull(json), waitedMs: orNull(long) });

/** A claim, or the input of an execution. */
interface ClaimRow extends Omit<ClaimedTask, 'input' | 'waitedMs'> {
  readonly input: string | null;
  readonly waitedMs?: number | null;
}

/** Number of index entries that the walk reads at a time while nothing is due. */
const STRIDE = 64;

/** Aggregates a column of the first levels, in the order of claiming. */
function inOrder(column: string): string {
  return `array_agg(${column} ORDER BY p.priority DESC, p.run_at)`;
}

/**
 * A column of the next row: without its first element, and with the next level's value at its place, if there is one.
 */
function inserted(column: string, element: string): string {
  return `CASE WHEN s.priority IS NULL THEN l.${column}[2:]
                ELSE l.${column}[2:place.before + 1] || ${element} || l.${column}[place.before + 2:] END`;
}

/**
 * Claims due tasks, by descending priority, then by due time.
 *
 * **Levels.** The waiting tasks of one definition with one priority form a level. The statement looks only at definitions
 * that this process has handlers for, and at each priority among their waiting tasks (a loose index scan). So it doesn't
 * read tasks that this process cannot run, nor a million tasks that are not yet due. It uses `statement_timestamp()`,
 * because the end of an index range has to be stable: with `clock_timestamp()` the scan would read and discard all tasks
 * that are not due.
 *
 * **Order.** Levels are looked up on demand: a WITH RECURSIVE computes its next row when that row is read, and LIMIT stops
 * reading. So the statement looks at no more priorities than it claims tasks. A row contains the next level of each
 * definition, in the order of claiming. The first of them is the row's own; in the following row its definition has
 * advanced to its next level. Among levels of equal priority the one whose first task waits longest comes first, so the
 * order between definitions is exact up to one claim.
 *
 * **Strides.** A level whose first task is not due has nothing to claim. From there the walk continues in strides over the
 * index's entries, so thousands of delayed tasks with different priorities cost a few pages instead of one descent each. A
 * stride ends at the first level that is due, or continues below its last entry.
 *
 * **Locks.** Each level is locked only as far as it is claimed. With SKIP LOCKED, processes claim different tasks and never
 * wait for each other. No process locks tasks that it doesn't claim, so none comes away empty because of another's locks.
 *
 * **Begin.** Executions that begin are updated in the order of their ids, without locking them first: the lock is one more
 * look-up and one more record in the WAL for each.
 *
 * **Input.** Executions that begin now return their input, which never changes. So the first tasks of an execution that
 * another process started need no separate read.
 *
 * **Lease.** The lease's CTE comes before the claims because of the lock order: CTEs that are not referenced are executed
 * last to first.
 */
export const claimTasks = claimStatement('claim_tasks', () => '', false);
/** The same for a process that measures for how long tasks were due. */
export const claimTasksTimed = claimStatement('claim_tasks_timed', () => '', true);

/**
 * `claimTasks` that skips tasks whose execution another session has locked. Used for a while after a claim timed out on
 * such a lock. It takes one more lock per task; the usual claim locks only executions that begin, and waits for them.
 */
export const claimTasksPastLocks = claimStatement('claim_tasks_past_locks', executionIsFree, false);

function claimStatement(
  name: string,
  isFree: (tables: TenantTables) => string,
  isTimed: boolean,
): Statement<ClaimRow> {
  return {
    name,
    columns: isTimed ? TIMED : CLAIMED,
    text: (tables) => claimText(tables, isFree(tables), isTimed),
  };
}

function claimText(tables: TenantTables, isFree: string, isTimed: boolean): string {
  const list = isTimed ? TIMED : CLAIMED;
  const runAt = isTimed ? ', c.run_at' : '';
  const waited = isTimed ? { waitedMs: epochMs(`${tables.clock.statement} - run_at`) } : {};
  return `WITH RECURSIVE level AS (
    SELECT ${inOrder('d.id')} AS definition_ids, ${inOrder('p.priority')} AS priorities, ${inOrder('p.run_at')} AS times
    FROM unnest($1::bigint[]) AS d(id) CROSS JOIN LATERAL (
      SELECT t.priority, t.run_at FROM ${tables.task} t
      WHERE t.definition_id = d.id AND ${CLAIMABLE}
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
          AND ${CLAIMABLE}
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
    SELECT c.execution_id, c.task_no, c.item_no${runAt}
    FROM level l CROSS JOIN LATERAL (
      SELECT t.execution_id, t.task_no, t.item_no${isTimed ? ', t.run_at' : ''} FROM ${tables.task} t
      WHERE l.times[1] <= ${tables.clock.statement}
        AND t.definition_id = l.definition_ids[1] AND t.priority = l.priorities[1]
        AND t.run_at <= ${tables.clock.statement} AND ${CLAIMABLE}
        AND ${RUNS_HERE}${isFree}
      ORDER BY t.run_at LIMIT $2::integer
      FOR NO KEY UPDATE SKIP LOCKED
    ) c
    LIMIT $2::integer
  ), ${claimedClauses(tables, { instance: '$5', from: 'candidate c', returning: runAt })},
  ${batchClause(tables, { instance: '$5', no: '$10', from: 'claimed c' })}
  SELECT ${list.selectSome({ ...claimOfTask(tables), ...waited })}
  FROM claimed
  UNION ALL
  SELECT ${list.selectSome({ executionId: 'id', taskNo: String(INPUT_ROW), input: 'input' })}
  FROM begun WHERE ${INPUT_IS_SMALL}
  UNION ALL
  SELECT ${list.selectSome(EXPIRED_OF_BEGUN)} FROM begun WHERE started_at IS NULL`;
}

/**
 * `unknown` lists tasks of known definitions for which this process has no handler, as [definition, task] pairs. `except`
 * lists single tasks that this process must not claim now.
 */
export function claimValues(
  definitions: readonly string[],
  unknown: readonly (readonly [string, number])[],
  limit: number,
  claimant: Claimant,
  writeLease: boolean,
  batchNo: number,
  except: readonly TaskKey[] = [],
): unknown[] {
  return [
    plainArray(definitions),
    limit,
    unknown.length === 0 ? null : plainArray(unknown.map(([definition]) => definition)),
    unknown.length === 0 ? null : plainArray(unknown.map(([, task]) => task)),
    ...leaseValues(claimant, writeLease),
    batchNo,
    except.length === 0 ? null : plainArray(except.map(({ executionId }) => executionId)),
    except.length === 0 ? null : plainArray(except.map(({ taskNo }) => taskNo)),
    except.length === 0 ? null : plainArray(except.map(({ itemNo }) => itemNo)),
  ];
}

/** Adds to the claims the inputs that the statement returned. */
export function claimsOf(rows: readonly ClaimRow[]): ClaimedTask[] {
  const inputs = new Map<string, string>();
  const expired = new Set<string>();
  for (const { executionId, taskNo, input } of rows) {
    if (taskNo === INPUT_ROW && input !== null) inputs.set(executionId, input);
    if (taskNo === EXPIRED_ROW) expired.add(executionId);
  }
  return rows
    .filter(({ taskNo }) => taskNo >= 0)
    .map((row) => ({
      ...row,
      input: inputs.get(row.executionId),
      waitedMs: row.waitedMs ?? undefined,
      ...(expired.has(row.executionId) ? { isExpired: true } : {}),
    }));
}
