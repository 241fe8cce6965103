import { WorkflowCancelledError, WorkflowFailedError, type StoredError } from '../errors/index.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import { decodeTags, type ExecutionStatus } from '../workflow/index.js';
import { contextOf } from './context-view.js';
import type { Execution, ExecutionResult, ExecutionSummary, ExecutionUpdate } from './execution.js';
import { parseError, viewTask } from './task-view.js';
import { firstUnhandledFailure } from './unhandled-failure.js';
import { executionWaiting, taskWaiting, waitingOfTasks, type SeenHere } from './waiting-for.js';
import type { ExecutionRow, ListedExecution, TaskRow } from '../store/port/index.js';

/**
 * Makes the `Execution` that the API returns from its rows.
 *
 * @param seen - facts that this process knows and rows do not have
 */
export function viewExecution(
  row: ExecutionRow,
  taskRows: readonly TaskRow[],
  definition: RunnableDefinition,
  seen: SeenHere,
): Execution {
  const context = contextOf(row, taskRows, definition, row.status as ExecutionStatus);
  return { ...viewUpdate(row, taskRows, definition, seen), context };
}

/** Makes the state that `watch` yields from rows, which need not have contexts. */
export function viewUpdate(
  row: ExecutionRow,
  taskRows: readonly TaskRow[],
  definition: RunnableDefinition,
  seen: SeenHere,
): ExecutionUpdate {
  const { workflow } = definition;
  const status = row.status as ExecutionStatus;
  const tasks = taskRows.flatMap((taskRow) => {
    const task = workflow.tasks[taskRow.taskNo];
    if (task === undefined) return [];
    return [
      viewTask(
        taskRow,
        task,
        taskWaiting(taskRow, task, definition, { taskRows, seen, turn: row.turn }),
      ),
    ];
  });
  const failedTask = failedTaskOf(row, taskRows, definition);
  const error = errorOf(row, taskRows, failedTask);
  const waiting = waitingOfTasks(row, taskRows, definition, seen);
  return {
    id: row.id,
    workflow: row.workflow,
    ...(workflow.version === undefined ? {} : { version: workflow.version }),
    status,
    ...(error === undefined ? {} : { error }),
    ...nameOf(failedTask, definition),
    ...optional(row, waiting),
    tasks,
    createdAt: row.createdAt,
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
  };
}

/** The sentence of what an execution waits for says until when it must begin. */
function withLimit(
  waiting: NonNullable<ExecutionSummary['waitingFor']>,
  startBefore: Date | null,
): NonNullable<ExecutionSummary['waitingFor']> {
  if (startBefore === null) return waiting;
  const limit = `It is cancelled if it has not begun by ${startBefore.toISOString()}.`;
  return { ...waiting, detail: `${waiting.detail} ${limit}` };
}

/** The optional properties; absent where the row has no value. */
function optional(
  {
    reason,
    idempotencyKey,
    tags: stored,
    parentId,
    parentStep,
    rootId,
    startBefore,
  }: ExecutionRow | ListedExecution,
  waitingFor: ExecutionSummary['waitingFor'],
): Partial<ExecutionSummary> {
  const tags = decodeTags(stored);
  return {
    ...(reason === null ? {} : { reason }),
    ...(waitingFor === undefined ? {} : { waitingFor: withLimit(waitingFor, startBefore) }),
    ...(startBefore === null ? {} : { startBefore }),
    ...(idempotencyKey === null ? {} : { idempotencyKey }),
    ...(tags === undefined ? {} : { tags }),
    ...(parentId === null
      ? {}
      : { parent: { id: parentId, step: parentStep ?? '', root: rootId ?? parentId } }),
  };
}

/**
 * Makes the summary that `list` returns from a row of its page.
 *
 * @param definition - only needed for an execution that waits, or with a failed task
 */
export function viewSummary(
  row: ListedExecution,
  definition: RunnableDefinition | undefined,
  seen: SeenHere,
): ExecutionSummary {
  const error = parseError(row.error);
  return {
    id: row.id,
    workflow: row.workflow,
    ...(row.version === null ? {} : { version: row.version }),
    status: row.status as ExecutionStatus,
    ...(error === undefined ? {} : { error }),
    ...nameOf(row.failedTask ?? undefined, definition),
    ...optional(row, executionWaiting(row, row.waiting, definition, seen)),
    createdAt: row.createdAt,
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
  };
}

/** Makes an execution that has ended a result. The object must not have another owner. */
export function asResult(execution: Execution): ExecutionResult {
  const result = execution as ExecutionResult;
  // Not enumerable: results are logged, compared and sent as JSON.
  Object.defineProperty(result, 'orThrow', {
    value: () => {
      if (result.status === 'Failed') throw new WorkflowFailedError(result);
      if (result.status !== 'Completed') throw new WorkflowCancelledError(result);
      return result;
    },
    configurable: true,
    writable: true,
  });
  return result;
}

/** The number of the task whose unhandled failure, the first one, has failed the execution. */
function failedTaskOf(
  row: ExecutionRow,
  tasks: readonly TaskRow[],
  { workflow }: RunnableDefinition,
): number | undefined {
  if (row.error !== null || row.status !== 'Failed') return undefined;
  return firstUnhandledFailure(workflow, tasks);
}

/** The error that is stored with the execution (a workflow timeout), or that of the failed task. */
function errorOf(
  row: ExecutionRow,
  tasks: readonly TaskRow[],
  failedTask: number | undefined,
): StoredError | undefined {
  if (row.error !== null) return parseError(row.error);
  return failedTask === undefined ? undefined : parseError(tasks[failedTask]?.error ?? null);
}

function nameOf(
  failedTask: number | undefined,
  definition: RunnableDefinition | undefined,
): Pick<ExecutionSummary, 'failedTask'> {
  if (failedTask === undefined) return {};
  return { failedTask: definition?.workflow.tasks[failedTask]?.name ?? `task ${failedTask}` };
}
