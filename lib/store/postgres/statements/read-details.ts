import {
  bigint,
  boolean,
  columns,
  epochMs,
  instant,
  integer,
  json,
  jsonb,
  orNull,
  strings,
  text,
  uuid,
} from './columns.js';
import {
  EXECUTION_OF_ROW,
  isOrphaned,
  openWait,
  openWaitOf,
  waitingTurn,
} from './execution-rows.js';
import { listedSteps, listedStepsOf } from './listed-steps.js';
import { progressOf, taskProgress } from './task-progress.js';
import { taskOf as taskIn, type Statement, type TenantTables } from './statement.js';
import type { ExecutionDetails, TaskRow } from '../../port/index.js';

/** The columns of both kinds of rows. A row of an execution has no `taskNo`, and NULL in the columns of tasks. */
const DETAIL = columns({
  id: uuid,
  taskNo: orNull(integer),
  itemNo: integer,
  status: text,
  error: orNull(json),
  startedAt: orNull(instant),
  completedAt: orNull(instant),
  workflow: text,
  definitionId: bigint,
  input: json,
  context: orNull(json),
  reason: orNull(text),
  idempotencyKey: orNull(text),
  tags: orNull(jsonb),
  createdAt: instant,
  parentId: orNull(uuid),
  parentStep: orNull(text),
  rootId: orNull(uuid),
  startBefore: orNull(instant),
  turn: waitingTurn,
  pendingDependencies: integer,
  unmetDependencies: integer,
  itemCount: orNull(integer),
  attempt: integer,
  recoveryAttempts: integer,
  owner: orNull(uuid),
  paused: boolean,
  failureHandled: boolean,
  runAt: orNull(instant),
  deferred: boolean,
  skipReason: orNull(text),
  output: orNull(json),
  deletedKeys: strings,
  attempts: orNull(jsonb),
  limitKey: orNull(text),
  isOrphaned: boolean,
  wait: openWait,
  progress: taskProgress,
  steps: listedSteps,
});
type DetailRow = ReturnType<typeof DETAIL.decode>[number];

/** The columns of task `t`, without its steps and its progress. */
function taskColumns(
  tables: TenantTables,
  output: string,
): Partial<Record<keyof DetailRow, string>> {
  return {
    id: 't.execution_id',
    taskNo: 't.task_no',
    itemNo: 't.item_no',
    status: 't.status',
    pendingDependencies: 't.pending_dependencies',
    unmetDependencies: 't.unmet_dependencies',
    itemCount: 't.item_count',
    attempt: 't.attempt',
    recoveryAttempts: 't.recovery_attempts',
    owner: 't.owner',
    paused: 't.paused',
    failureHandled: 't.failure_handled',
    runAt: epochMs('t.run_at'),
    deferred: 't.deferred_since IS NOT NULL',
    skipReason: 't.skip_reason',
    output,
    deletedKeys: 'array_to_json(t.deleted_keys)',
    error: 't.error',
    attempts: 't.attempts',
    startedAt: epochMs('t.started_at'),
    completedAt: epochMs('t.completed_at'),
    limitKey: 't.limit_key',
    isOrphaned: isOrphaned(tables),
    wait: openWaitOf(tables),
  };
}

/**
 * Reads executions with their tasks, without items, of which there may be any number. It is one statement, and so one snapshot: with two, a manual retry between them would
 * show the new tasks of an execution with its former end. The rows are not sorted, because they may hold large contexts.
 * Without the second parameter, contexts are left out. The third one says which steps to read.
 */
const detailsText = (
  tables: TenantTables,
  progress: string | undefined,
): string => `SELECT ${DETAIL.selectSome({
  ...EXECUTION_OF_ROW,
  input: "CASE WHEN $2::boolean THEN x.input ELSE '{}'::json END",
  context: 'CASE WHEN $2::boolean THEN x.context END',
})}
  FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])
  UNION ALL
  SELECT ${DETAIL.selectSome({ ...taskColumns(tables, 'CASE WHEN $2::boolean THEN t.output END'), steps: listedStepsOf(tables, '$3::integer'), ...(progress === undefined ? {} : { progress }) })}
  FROM ${tables.task} t WHERE t.execution_id = ANY ($1::uuid[]) AND t.item_no = 0`;

export const readDetails: Statement<DetailRow> = {
  name: 'read_details',
  columns: DETAIL,
  text: (tables) => detailsText(tables, progressOf(tables)),
};

/** The same without progress. A hot standby refuses every statement that names an unlogged table. */
export const readStandbyDetails: Statement<DetailRow> = {
  name: 'read_standby_details',
  columns: DETAIL,
  text: (tables) => detailsText(tables, undefined),
};

/** The rows of single tasks and items, by key. */
export const readItemDetails: Statement<DetailRow> = {
  name: 'read_item_details',
  columns: DETAIL,
  text: (tables) => `SELECT ${DETAIL.selectSome(taskColumns(tables, 'NULL::json'))}
  FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS k(execution_id, task_no, item_no)
    CROSS JOIN LATERAL (SELECT t.* FROM ${tables.task} t WHERE ${taskIn('k')} OFFSET 0) t`,
};

export function itemsOf(rows: readonly DetailRow[]): TaskRow[] {
  return rows.flatMap((row) => (row.taskNo === null ? [] : [taskOf(row, row.taskNo)]));
}

export function detailsOf(rows: readonly DetailRow[]): ExecutionDetails[] {
  const tasks = new Map<string, TaskRow[]>();
  const found = rows.filter(({ taskNo }) => taskNo === null).map(executionOf);
  for (const execution of found) tasks.set(execution.id, execution.tasks);
  for (const row of rows) {
    if (row.taskNo !== null) tasks.get(row.id)?.push(taskOf(row, row.taskNo));
  }
  for (const execution of found) execution.tasks.sort((a, b) => a.taskNo - b.taskNo);
  return found;
}

function executionOf(row: DetailRow): ExecutionDetails & { readonly tasks: TaskRow[] } {
  const { id, workflow, definitionId, status, input, context, error, reason } = row;
  const { idempotencyKey, tags, createdAt, startedAt, completedAt } = row;
  const { parentId, parentStep, rootId, startBefore, turn } = row;
  return {
    id,
    workflow,
    definitionId,
    status,
    input,
    context,
    error,
    reason,
    idempotencyKey,
    tags,
    createdAt,
    startedAt,
    completedAt,
    parentId,
    parentStep,
    rootId,
    startBefore,
    turn,
    tasks: [],
  };
}

function taskOf(row: DetailRow, taskNo: number): TaskRow {
  const { id: executionId, status, pendingDependencies, attempt, recoveryAttempts } = row;
  const { owner, paused, failureHandled, runAt, deferred, skipReason, output } = row;
  const { deletedKeys, error, attempts, startedAt, completedAt } = row;
  return {
    executionId,
    taskNo,
    itemNo: row.itemNo,
    status,
    pendingDependencies,
    unmetDependencies: row.unmetDependencies,
    itemCount: row.itemCount,
    attempt,
    recoveryAttempts,
    owner,
    paused,
    failureHandled,
    runAt,
    deferred,
    skipReason,
    output,
    deletedKeys,
    error,
    attempts,
    startedAt,
    completedAt,
    limitKey: row.limitKey,
    isOrphaned: row.isOrphaned,
    wait: row.wait,
    progress: row.progress,
    steps: row.steps,
  };
}
