import { WorkflowCancelledError, WorkflowFailedError, type StoredError } from '../errors/index.js';
import { ExecutionCache, membersOf } from '../engine/memory/execution-cache.js';
import { describeHung, type HungHandler } from '../engine/execution/hung-handlers.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import type { JsonObject } from '../discovery/task-context.js';
import {
  ContextView,
  decodeJson,
  isExecutionEnded,
  isTaskTerminal,
  joinContexts,
  unhandledFailures,
  type CompiledTask,
  type ExecutionStatus,
  type SkipReason,
  type TaskStatus,
} from '../workflow/index.js';
import type {
  Execution,
  ExecutionResult,
  ExecutionSummary,
  TaskAttempt,
  TaskDetails,
  TaskWaiting,
} from './execution.js';
import type { ExecutionRow, ListedExecution, TaskRow } from '../store/port/index.js';

/** What a process sees that reads an execution. */
export interface SeenHere {
  /** Handlers of the tenant that hang in this process. */
  readonly hung: readonly HungHandler[];
  /** The time of day, in milliseconds since 1970. */
  readonly now: number;
}

/**
 * Makes of rows what the API returns.
 *
 * @param seen - what this process sees beside the rows
 */
export function viewExecution(
  row: ExecutionRow,
  taskRows: readonly TaskRow[],
  definition: RunnableDefinition,
  seen: SeenHere,
): Execution {
  const { workflow } = definition;
  const status = row.status as ExecutionStatus;
  const tasks = taskRows.flatMap((taskRow) => {
    const task = workflow.tasks[taskRow.taskNo];
    return task === undefined ? [] : [viewTask(taskRow, task, definition, { taskRows, ...seen })];
  });
  const error = errorOf(row, taskRows, definition);
  return {
    id: row.id,
    workflow: row.workflow,
    ...(workflow.version === undefined ? {} : { version: workflow.version }),
    status,
    context: contextOf(row, taskRows, definition, status),
    ...(error === undefined ? {} : { error }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    tasks,
    createdAt: row.createdAt,
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
  };
}

/** Makes of a page's row what `list` returns. */
export function viewSummary(row: ListedExecution): ExecutionSummary {
  const error = parseError(row.error);
  return {
    id: row.id,
    workflow: row.workflow,
    ...(row.version === null ? {} : { version: row.version }),
    status: row.status as ExecutionStatus,
    ...(error === undefined ? {} : { error }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    createdAt: row.createdAt,
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
  };
}

/** The same, once it has ended. */
export function asResult(execution: Execution): ExecutionResult {
  const result: ExecutionResult = {
    ...execution,
    orThrow: () => {
      if (result.status === 'Failed') throw new WorkflowFailedError(result);
      if (result.status !== 'Completed') throw new WorkflowCancelledError(result);
      return result;
    },
  };
  // A result is logged, compared and sent as JSON: the method is not part of that.
  Object.defineProperty(result, 'orThrow', { enumerable: false });
  return result;
}

function viewTask(
  row: TaskRow,
  task: CompiledTask,
  definition: RunnableDefinition,
  beside: TaskSurroundings,
): TaskDetails {
  const status = row.status as TaskStatus;
  const attempts = attemptsOf(row);
  const error = parseError(row.error);
  const wait = waitOf(row, task, definition, beside);
  return {
    name: task.name,
    status,
    attempt: row.attempt + (status === 'Completed' || status === 'Running' ? 1 : 0),
    attempts,
    recoveryAttempts: row.recoveryAttempts,
    ...(error === undefined ? {} : { error }),
    ...(row.skipReason === null ? {} : { skipReason: row.skipReason as SkipReason }),
    ...(wait === undefined ? {} : { waitingFor: wait }),
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
  };
}

interface StoredAttempt {
  readonly attempt: number;
  readonly startedAt: string;
  readonly completedAt: string;
  readonly error?: StoredError | null;
}

/** The failed attempts are kept with the row; the one that completed the task is the row's own times. */
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

/** What else there is that a task may wait for. */
interface TaskSurroundings extends SeenHere {
  readonly taskRows: readonly TaskRow[];
}

function waitOf(
  row: TaskRow,
  task: CompiledTask,
  { workflow, handlers }: RunnableDefinition,
  { taskRows: all, hung, now }: TaskSurroundings,
): TaskWaiting | undefined {
  if (row.status === 'NotStarted') {
    const open = task.dependsOn
      .filter((no) => !isTaskTerminal((all[no]?.status ?? 'NotStarted') as TaskStatus))
      .map((no) => workflow.tasks[no]?.name ?? String(no));
    const names = open.length > 5 ? [...open.slice(0, 5), `${open.length - 5} more`] : open;
    return { reason: 'dependencies', detail: `It waits for ${names.join(', ')}.` };
  }
  if (row.isOrphaned) {
    return {
      reason: 'recovery',
      detail: 'Its process is lost, and no other one has recovered it yet.',
    };
  }
  if (row.status !== 'Ready') return undefined;
  if (row.paused) return { reason: 'paused', detail: 'The execution is paused.' };
  if (row.runAt !== null && row.runAt.getTime() > now) {
    const why = row.deferred
      ? 'Its condition is'
      : row.attempt > 0
        ? 'Its next attempt is'
        : 'It is';
    return { reason: 'time', detail: `${why} due at ${row.runAt.toISOString()}.` };
  }
  if (handlers[task.no] === undefined) {
    return {
      reason: 'handler',
      detail: `This process has no handler for task "${task.name}" of workflow "${workflow.name}".`,
    };
  }
  const keeping = hung.filter(({ keepsSlot }) => keepsSlot);
  const own = keeping.find((one) => one.executionId === row.executionId && one.taskNo === task.no);
  if (own !== undefined) return { reason: 'hungHandler', detail: describeHung(own) };
  const why =
    keeping.length === 0
      ? ''
      : ` Handlers that ignore their signals and keep slots of this process: ${keeping.length}.`;
  return { reason: 'slot', detail: `It is due and waits for a process with a free slot.${why}` };
}

function parseError(json: string | null): StoredError | undefined {
  return json === null ? undefined : (JSON.parse(json) as StoredError);
}

/** A workflow timeout is the execution's own error; else the first failure that nothing handled. */
function errorOf(
  row: ExecutionRow,
  tasks: readonly TaskRow[],
  { workflow }: RunnableDefinition,
): StoredError | undefined {
  if (row.error !== null) return parseError(row.error);
  if (row.status !== 'Failed') return undefined;
  const statusOf = (no: number): TaskStatus => (tasks[no]?.status ?? 'NotStarted') as TaskStatus;
  const [first] = unhandledFailures(workflow, statusOf);
  return first === undefined ? undefined : parseError(tasks[first]?.error ?? null);
}

/** Key by key: all of it as one text may be longer than a text can be. */
function toObject(view: ContextView): JsonObject {
  const object: JsonObject = {};
  for (const [key, { json }] of view.entries()) {
    if (json === undefined) continue;
    const value = decodeJson(json);
    // Not assigned: a key may be called __proto__.
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}

/** The stored final context; where there is none (yet), what the outcomes so far come to. */
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
      .map((task) => ({ ...task, token: 0 })),
  );
  const final = isExecutionEnded(status) ? memory.finalContext() : undefined;
  return toObject(final ?? frontier());

  /** A cancelled task may have ended before what it depends on. */
  function dependenciesKnown(no: number): boolean {
    return (workflow.tasks[no]?.dependsOn ?? []).every((dependency) =>
      isTaskTerminal((tasks[dependency]?.status ?? 'NotStarted') as TaskStatus),
    );
  }

  /** Joins the outcomes that no other outcome builds on. */
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
