import type { StoredError } from '../errors/index.js';
import type { TaskRow } from '../store/port/index.js';
import {
  decodeJson,
  isTaskTerminal,
  type CompiledTask,
  type SkipReason,
  type TaskStatus,
} from '../workflow/index.js';
import type { TaskAttempt, TaskDetails } from './execution.js';

/** Statuses of tasks with an attempt that has begun and did not fail. */
const BEGUN: ReadonlySet<TaskStatus> = new Set(['Completed', 'Running', 'Waiting']);

/** Makes the task that the API returns from its row. */
export function viewTask(
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
    ...countItems(row),
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
export function countItems({
  itemCount,
  pendingDependencies,
  unmetDependencies,
  status,
}: TaskRow): Pick<TaskDetails, 'items'> {
  if (itemCount === null) return {};
  const total = Math.abs(itemCount);
  const isComplete = itemCount > 0;
  const pending = pendingDependencies - (isComplete ? 0 : 1);
  const open = isTaskTerminal(status as TaskStatus) ? 0 : pending;
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

export function parseError(json: string | null): StoredError | undefined {
  return json === null ? undefined : (JSON.parse(json) as StoredError);
}
