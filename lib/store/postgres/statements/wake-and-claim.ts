import { batchClause } from './claim-batch.js';
import { claimValues } from './claim-tasks.js';
import { RUNS_HERE } from './claimable-tasks.js';
import { CLAIM_COLUMNS, claimOfTask, MAX_INPUT } from './claimed-clauses.js';
import { boolean, json, orNull, restMs } from './columns.js';
import { leaseClause } from './lease-clause.js';
import { listenedFor } from './read-steps.js';
import { executionOf, NEXT_TOKEN, taskOf, type TenantTables } from './statement.js';
import {
  MAX_CLAIMED_STEPS,
  type ClaimedTask,
  type StepRow,
  type WakeClaims,
  type Woken,
} from '../../port/index.js';

/** Maximum size of the steps that a claim returns, in stored bytes. */
const MAX_STEP_BYTES = 2_000;

/** The number of the first parameter that follows those of {@link wakeClaimValues}. */
export const AFTER_CLAIM = 14;

/** The columns of a task that the statement has locked, for {@link wakeAndClaimClauses}. */
export const LOCKED_TASK = 't.definition_id, t.claim_token, t.wakes, t.paused, t.limit_key';

/** Columns of {@link wakenRow}: those of a claim, and whether the task was claimed. */
export const WOKEN_COLUMNS = {
  ...CLAIM_COLUMNS,
  isClaimed: boolean,
  isDue: boolean,
  input: orNull(json),
  steps: orNull(json),
} as const;

interface WakeVariant {
  /**
   * Whether the wake-up is the end of something that the task waits for: failed attempts before it no longer count. Or a
   * condition on the row `w` of the source.
   */
  readonly isProgress: true | string;
  /** Whether it counts for a task that waits for several children. */
  readonly isJoin?: boolean;
}

/**
 * The CTEs that wake tasks, for every statement that ends waits, and that claim those that can run in this process. A wake-up
 * is decided by the task's own row: one that waits is due now, and for one that runs the counter tells its suspension that
 * the wake-up came before it.
 *
 * `source` names a CTE whose rows the statement has locked, one for each task, in any order: the key; {@link LOCKED_TASK};
 * `n`, the number of wake-ups; `is_due`, whether the task waits and this wakes it. The first parameters of the statement are
 * those of {@link wakeClaimValues}.
 *
 * Claims here are like those of outcomes: they are listed, and write the lease. Priorities are not compared, because the
 * room that the process has reserved is free.
 */
export function wakeAndClaimClauses(
  tables: TenantTables,
  source: string,
  { isProgress, isJoin = false }: WakeVariant,
): string {
  const waits = `t.status || '' = 'Waiting'`;
  return `chosen AS MATERIALIZED (
    SELECT s.*, s.fits AND sum(s.fits::integer) OVER (ROWS UNBOUNDED PRECEDING) <= $2::integer AS claim FROM (
      SELECT t.*, t.is_due AND NOT t.paused AND t.limit_key IS NULL AND t.definition_id = ANY ($1::bigint[])
        AND ${RUNS_HERE} AS fits
      FROM ${source} t
    ) s
  ), woken AS (
    UPDATE ${tables.task} t
    SET wakes = t.wakes + w.n,
        status = CASE WHEN w.claim THEN 'Running' ELSE t.status END,
        claim_token = CASE WHEN w.claim THEN ${NEXT_TOKEN} ELSE t.claim_token END,
        owner = CASE WHEN w.claim THEN $5::uuid ELSE t.owner END,
        started_at = CASE WHEN w.claim THEN ${tables.clock.now} ELSE t.started_at END,
        attempt = CASE WHEN ${isProgress === true ? '' : `${isProgress} AND `}${waits} THEN 0 ELSE t.attempt END,
        ${isJoin ? `pending_dependencies = CASE WHEN ${waits} THEN greatest(0, t.pending_dependencies - w.n) ELSE t.pending_dependencies END,` : ''}
        run_at = CASE WHEN w.claim THEN NULL WHEN w.is_due THEN ${tables.clock.now} ELSE t.run_at END
    FROM chosen w
    WHERE ${taskOf('w')}
    RETURNING t.execution_id, t.task_no, t.item_no, t.definition_id, t.claim_token, t.attempt, t.recovery_attempts,
              t.unmet_dependencies, t.generation, t.deferred_since, t.priority, t.wakes, t.has_steps,
              w.claim, w.is_due AND NOT w.claim AND NOT t.paused AS is_due, w.claim_token AS former_token,
              w.wakes AS former_wakes
  ), ${leaseClause(tables, 5)}, ${batchClause(tables, { instance: '$5', no: '$10', from: 'woken c WHERE c.claim' })}`;
}

/**
 * The expressions of {@link WOKEN_COLUMNS} on a row of `woken`, with the alias `c`.
 *
 * **Input.** That of an execution never changes, so the snapshot has it.
 *
 * **Steps.** The snapshot has the current ones if it has the version of the task's row that the statement has locked. Every
 * statement that changes a step of a task holds the lock of its row, and is followed by another token or another number of
 * wake-ups before the task can be claimed.
 */
export function wokenRow(tables: TenantTables): Record<keyof typeof WOKEN_COLUMNS, string> {
  return {
    ...claimOfTask(tables),
    isClaimed: 'c.claim',
    isDue: 'c.is_due',
    input: `CASE WHEN c.claim THEN (
      SELECT x.input FROM ${tables.execution} x
      WHERE ${executionOf('c.execution_id')} AND pg_column_size(x.input) <= ${MAX_INPUT}) END`,
    steps: `CASE WHEN c.claim AND (
      SELECT t.claim_token = c.former_token AND t.wakes = c.former_wakes FROM ${tables.task} t WHERE ${taskOf('c')}
    ) THEN (${stepsOfTask(tables)}) END`,
  };
}

/** The steps of the task in `c` as one value. NULL if they are too many or too large. */
function stepsOfTask(tables: TenantTables): string {
  const row = [
    's.name',
    's.kind',
    's.status',
    's.result::text',
    's.error::text',
    's.child_id',
    's.event_name',
    's.event_key',
    restMs(`s.due_at - ${tables.clock.now}`),
  ];
  return `SELECT CASE WHEN count(*) <= ${MAX_CLAIMED_STEPS}
             AND coalesce(sum(coalesce(pg_column_size(s.result), 0) + coalesce(pg_column_size(s.error), 0)), 0) <= ${MAX_STEP_BYTES}
           THEN coalesce(json_agg(json_build_array(${row.join(', ')})), '[]') END
      FROM (
        SELECT s.* FROM ${tables.step} s
        WHERE s.execution_id = ANY (ARRAY[c.execution_id]) AND s.task_no = c.task_no AND s.item_no = c.item_no
        LIMIT ${MAX_CLAIMED_STEPS + 1}
      ) s`;
}

/** The first parameters of a statement with {@link wakeAndClaimClauses}. Without `claims` it claims nothing. */
export function wakeClaimValues(
  claims: WakeClaims | undefined,
  batchNo: number,
): readonly unknown[] {
  if (claims === undefined || claims.room === 0) return NO_CLAIMS;
  const { definitions, unknown, room, lease, except } = claims;
  return claimValues(definitions, unknown, room, lease.claimant, lease.write, batchNo, except);
}

/** For a statement that only wakes. */
export const NO_CLAIMS: readonly unknown[] = [
  '{}',
  0,
  ...new Array<null>(AFTER_CLAIM - 3).fill(null),
];

type WokenRow = Omit<ClaimedTask, 'input' | 'steps' | 'batch'> & {
  readonly isClaimed: boolean;
  readonly isDue: boolean;
  readonly input: string | null;
  readonly steps: string | null;
};

/** The claim of a row; its steps as they were before the statement. Undefined for a task that was only woken. */
export function claimOfRow(row: WokenRow): ClaimedTask | undefined {
  const { input, steps } = row;
  if (!row.isClaimed) return undefined;
  const claim = claimColumnsOf(row);
  return {
    ...claim,
    input: input ?? undefined,
    steps: steps === null ? undefined : stepRowsOf(claim, steps),
  };
}

function claimColumnsOf(row: WokenRow): Omit<ClaimedTask, 'input' | 'steps' | 'batch'> {
  const { executionId, taskNo, itemNo, definitionId, token, attempt, recoveryAttempts } = row;
  const { unmetDependencies, generation, deferredForMs, priority, wakes, hasSteps } = row;
  return {
    executionId,
    taskNo,
    itemNo,
    definitionId,
    token,
    attempt,
    recoveryAttempts,
    unmetDependencies,
    generation,
    deferredForMs,
    priority,
    wakes,
    hasSteps,
  };
}

/** The woken tasks of a statement's rows. */
export function wokenOf(rows: readonly WokenRow[]): Woken {
  return {
    claims: rows.flatMap((row) => claimOfRow(row) ?? []),
    due: rows.reduce((sum, { isDue }) => sum + (isDue ? 1 : 0), 0),
  };
}

type StoredStep = readonly [
  name: string,
  kind: StepRow['kind'],
  status: StepRow['status'],
  result: string | null,
  error: string | null,
  childId: string | null,
  eventName: string | null,
  eventKey: string | null,
  dueInMs: number | null,
];

function stepRowsOf(
  { executionId, taskNo, itemNo }: Pick<ClaimedTask, 'executionId' | 'taskNo' | 'itemNo'>,
  stored: string,
): StepRow[] {
  return (JSON.parse(stored) as StoredStep[]).map(
    ([name, kind, status, result, error, childId, eventName, eventKey, dueInMs]) => {
      const task = { executionId, taskNo, itemNo };
      const listensFor = listenedFor(eventName, eventKey);
      return { ...task, name, kind, status, result, error, childId, listensFor, dueInMs };
    },
  );
}
