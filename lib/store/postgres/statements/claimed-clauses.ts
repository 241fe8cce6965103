import { SUSPECT_AFTER } from './begin-suspect.js';
import { bigint, boolean, epochMs, integer, long, orNull, uuid } from './columns.js';
import { executionOf, NEXT_TOKEN, taskOf, type TenantTables } from './statement.js';

/**
 * Maximum size of an input that a claim returns, in stored bytes. Larger ones are read once for all tasks that share
 * them.
 */
export const MAX_INPUT = 2_000;
/** A condition: the input of an execution that begins is returned. */
export const INPUT_IS_SMALL = `pg_column_size(input) <= ${MAX_INPUT}`;
/** Replaces the task's number in a row that contains an execution's input. */
export const INPUT_ROW = -1;
/** The same in a row with an execution that must not begin any more. */
export const EXPIRED_ROW = -3;

/** The columns of a claim in results. */
export const CLAIM_COLUMNS = {
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  definitionId: bigint,
  token: long,
  attempt: integer,
  recoveryAttempts: integer,
  unmetDependencies: integer,
  generation: integer,
  deferredForMs: orNull(long),
  priority: integer,
  wakes: integer,
  hasSteps: boolean,
} as const;

/** Expressions for {@link CLAIM_COLUMNS} on a task's row. */
export function claimOfTask(tables: TenantTables): Record<keyof typeof CLAIM_COLUMNS, string> {
  return {
    executionId: 'execution_id',
    taskNo: 'task_no',
    itemNo: 'item_no',
    definitionId: 'definition_id',
    token: 'claim_token',
    attempt: 'attempt',
    recoveryAttempts: 'recovery_attempts',
    unmetDependencies: 'unmet_dependencies',
    generation: 'generation',
    deferredForMs: epochMs(`${tables.clock.now} - deferred_since`),
    priority: 'priority',
    wakes: 'wakes',
    hasSteps: 'has_steps',
  };
}

/** The columns of a row with an execution in `begun` that must not begin any more. */
export const EXPIRED_OF_BEGUN = { executionId: 'id', taskNo: String(EXPIRED_ROW) } as const;

/**
 * The CTEs that claim the tasks `c`, which the statement has locked: the tasks, their executions, and those that begin.
 *
 * Before its begin, the deadline of an execution is the time until which it must begin. One whose time has passed does not
 * begin, and keeps the deadline, by which its timeout ends it. Only its own row tells that, so its tasks are claimed all the
 * same, and the process must not run them ({@link EXPIRED_OF_BEGUN}).
 *
 * @param returning - columns of `c` to return with the claims
 */
export function claimedClauses(
  tables: TenantTables,
  { instance, from, returning = '' }: ClaimedRows,
): string {
  const isExpired = `x.deadline_at <= ${tables.clock.statement}`;
  return `claimed AS (
    UPDATE ${tables.task} t
    SET status = 'Running', claim_token = ${NEXT_TOKEN}, owner = ${instance}::uuid, run_at = NULL,
        started_at = CASE WHEN t.recovery_attempts < ${SUSPECT_AFTER} THEN ${tables.clock.now} END
    FROM ${from}
    WHERE ${taskOf('c')}
    RETURNING t.execution_id, t.task_no, t.item_no, t.definition_id, t.claim_token, t.attempt, t.recovery_attempts,
              t.unmet_dependencies, t.generation, t.deferred_since, t.priority, t.wakes, t.has_steps${returning}
  ), own AS MATERIALIZED (
    SELECT DISTINCT execution_id FROM claimed ORDER BY 1
  ), begun AS (
    UPDATE ${tables.execution} x
    SET status = CASE WHEN x.status = 'Pending' AND (${isExpired}) IS NOT TRUE THEN 'Running' ELSE x.status END,
        started_at = CASE WHEN (${isExpired}) IS NOT TRUE THEN ${tables.clock.now} END,
        deadline_at = CASE WHEN ${isExpired} THEN x.deadline_at
                           ELSE ${tables.clock.now} + x.timeout_ms * interval '1 millisecond' END
    FROM own
    WHERE ${executionOf('own.execution_id')} AND x.started_at IS NULL
    RETURNING x.id, x.input, x.started_at
  )`;
}

interface ClaimedRows {
  /** The parameter with the instance that claims. */
  readonly instance: string;
  /** The CTE with the tasks, named `c`. */
  readonly from: string;
  readonly returning?: string;
}
