import { WorkflowCancelledError, WorkflowFailedError, type StoredError } from '../errors/index.js';
import { ExecutionCache, membersOf } from '../engine/memory/execution-cache.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import type { JsonObject } from '../discovery/context-types.js';
import {
  ContextView,
  decodeJson,
  decodeTags,
  isExecutionEnded,
  isTaskTerminal,
  joinContexts,
  type CompiledTask,
  type ExecutionStatus,
  type SkipReason,
  type TaskStatus,
} from '../workflow/index.js';
import type {
  Execution,
  ExecutionResult,
  ExecutionSummary,
  ExecutionUpdate,
  TaskAttempt,
  TaskDetails,
} from './execution.js';
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
    return [viewTask(taskRow, task, taskWaiting(taskRow, task, definition, { taskRows, seen }))];
  });
  const error = errorOf(row, taskRows, definition);
  const waiting = waitingOfTasks(status, taskRows, definition, seen);
  return {
    id: row.id,
    workflow: row.workflow,
    ...(workflow.version === undefined ? {} : { version: workflow.version }),
    status,
    ...(error === undefined ? {} : { error }),
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
 * @param definition - only needed for an execution that waits
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
    ...optional(row, executionWaiting(row.status, row.waiting, definition, seen)),
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

/** Statuses of tasks with an attempt that has begun and did not fail. */
const BEGUN: ReadonlySet<TaskStatus> = new Set(['Completed', 'Running', 'Waiting']);

function viewTask(
  row: TaskRow,
  task: CompiledTask,
  waitingFor: TaskDetails['waitingFor'],
): TaskDetails {
  const status = row.status as TaskStatus;
  const attempts = attemptsOf(row);
  const error = parseError(row.error);
  return {
    name: task.name,
    kind: task.node?.kind ?? 'task',
    status,
    attempt: row.attempt + (BEGUN.has(status) ? 1 : 0),
    attempts,
    recoveryAttempts: row.recoveryAttempts,
    ...(error === undefined ? {} : { error }),
    ...(row.skipReason === null ? {} : { skipReason: row.skipReason as SkipReason }),
    ...(waitingFor === undefined ? {} : { waitingFor }),
    ...progressOf(row),
    ...itemsOf(row, status),
    ...stepsOf(row),
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
  };
}

function stepsOf({ steps }: TaskRow): Pick<TaskDetails, 'steps'> {
  if (steps.length === 0) return {};
  return {
    steps: steps.map(({ name, kind, status, startedAt, completedAt, dueAt, result }) => ({
      name,
      kind,
      status,
      startedAt,
      ...(completedAt === null
        ? {}
        : { completedAt, durationMs: completedAt.getTime() - startedAt.getTime() }),
      ...(dueAt === null ? {} : { until: dueAt }),
      ...(result === null ? {} : { result: decodeJson(result) }),
    })),
  };
}

/** A map that ends before its items, by a cancellation, has counted down none of those that were open. */
function itemsOf(
  { itemCount, pendingDependencies, unmetDependencies }: TaskRow,
  status: TaskStatus,
): Pick<TaskDetails, 'items'> {
  if (itemCount === null) return {};
  const total = Math.abs(itemCount);
  const isComplete = itemCount > 0;
  const pending = pendingDependencies - (isComplete ? 0 : 1);
  const open = isTaskTerminal(status) ? 0 : pending;
  const completed = total - pending - unmetDependencies;
  return { items: { total, completed, failed: total - completed - open, open, isComplete } };
}

function progressOf({ progress }: TaskRow): Pick<TaskDetails, 'progress'> {
  if (progress === null) return {};
  return { progress: { value: decodeJson(progress.value), updatedAt: progress.updatedAt } };
}

interface StoredAttempt {
  readonly attempt: number;
  readonly startedAt: string;
  readonly completedAt: string;
  readonly error?: StoredError | null;
}

/** The row lists the failed attempts. The attempt that completed the task is stored as the times of the row. */
function attemptsOf(row: TaskRow): TaskAttempt[] {
  const stored = row.attempts === null ? [] : (JSON.parse(row.attempts) as StoredAttempt[]);
  const attempts = stored.map(({ attempt, startedAt, completedAt, error }) => ({
    ...times(attempt, new Date(startedAt), new Date(completedAt)),
    ...(error === undefined || error === null ? {} : { error }),
  }));
  if (row.status === 'Completed' && row.startedAt !== null && row.completedAt !== null) {
    attempts.push(times(row.attempt + 1, row.startedAt, row.completedAt));
  }
  return attempts;
}

function times(attempt: number, startedAt: Date, completedAt: Date): TaskAttempt {
  return {
    attempt,
    startedAt,
    completedAt,
    durationMs: completedAt.getTime() - startedAt.getTime(),
  };
}

function parseError(json: string | null): StoredError | undefined {
  return json === null ? undefined : (JSON.parse(json) as StoredError);
}

/** The error that is stored with the execution (a workflow timeout), or that of the first unhandled failure. */
function errorOf(
  row: ExecutionRow,
  tasks: readonly TaskRow[],
  { workflow }: RunnableDefinition,
): StoredError | undefined {
  if (row.error !== null) return parseError(row.error);
  if (row.status !== 'Failed') return undefined;
  const first = firstUnhandledFailure(workflow, tasks);
  return first === undefined ? undefined : parseError(tasks[first]?.error ?? null);
}

/** Decodes key by key, because the JSON of a whole context may exceed the longest possible string. */
export function contextObject(view: ContextView): JsonObject {
  const object: JsonObject = {};
  for (const [key, { json }] of view.entries()) {
    if (json === undefined) continue;
    const value = decodeJson(json);
    // Not assigned, because a key may be `__proto__`.
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}

/** The stored final context. If none is stored, the context is computed from the recorded outcomes. */
function contextOf(
  row: ExecutionRow,
  tasks: readonly TaskRow[],
  { workflow }: RunnableDefinition,
  status: ExecutionStatus,
): JsonObject {
  if (row.context !== null) return decodeJson(row.context) as JsonObject;
  const memory = new ExecutionCache(row.id, workflow, 0);
  memory.setInput(membersOf(row.input));
  const terminal = tasks.filter((task) => isTaskTerminal(task.status as TaskStatus));
  memory.load(
    terminal
      .filter(({ taskNo }) => dependenciesKnown(taskNo))
      .map((task) => ({ ...task, error: null, token: 0 })),
  );
  const final = isExecutionEnded(status) ? memory.finalContext() : undefined;
  return contextObject(final ?? frontier());

  /** Whether all dependencies have ended: a cancelled task may end before them. */
  function dependenciesKnown(no: number): boolean {
    return (workflow.tasks[no]?.dependsOn ?? []).every((dependency) =>
      isTaskTerminal((tasks[dependency]?.status ?? 'NotStarted') as TaskStatus),
    );
  }

  /** Joins the contexts of the tasks without a dependent that has ended. */
  function frontier(): ContextView {
    const known = terminal
      .map(({ taskNo }) => taskNo)
      .filter((no) => memory.outcome(no) !== undefined);
    const last = known.filter((no) =>
      (workflow.dependents[no] ?? []).every((dependent) => memory.outcome(dependent) === undefined),
    );
    if (last.length === 0) return ContextView.ofInput(membersOf(row.input));
    const views = last.map((no) => ({ no, view: memory.outcome(no)?.view ?? ContextView.empty }));
    return joinContexts(workflow, workflow.tasks.length, views).view;
  }
}
