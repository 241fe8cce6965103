import type { KnownEnd, KnownTask } from '../engine/completion/known-end.js';
import { decodeTags, type CompiledTask } from '../workflow/index.js';
import type { Execution, TaskDetails } from './execution.js';
import { contextObject } from './context-view.js';

/**
 * Makes the `Execution` that `get` would return of an execution whose end this process recorded. Every call returns an
 * object of its own. Assignments instead of spreads, because every `execute()` runs this.
 */
export function viewKnownEnd({ id, definition, start, row, tasks, context }: KnownEnd): Execution {
  const { workflow } = definition;
  const tags = decodeTags(start.tags);
  const execution = { id, workflow: workflow.name } as Execution;
  if (workflow.version !== undefined) execution.version = workflow.version;
  execution.status = 'Completed';
  execution.context = contextObject(context);
  if (start.idempotencyKey !== null) execution.idempotencyKey = start.idempotencyKey;
  if (tags !== undefined) execution.tags = tags;
  execution.tasks = tasks.map((task, no) => viewTask(workflow.tasks[no], task));
  execution.createdAt = new Date(row.createdAt);
  execution.startedAt = new Date(row.startedAt);
  execution.completedAt = new Date(row.completedAt);
  return execution;
}

function viewTask(of: CompiledTask | undefined, task: KnownTask): TaskDetails {
  const name = of?.name ?? '';
  const kind = of?.node?.kind ?? 'task';
  const startedAt = new Date(task.startedAt);
  const completedAt = new Date(task.completedAt);
  if (task.status === 'Completed') {
    const durationMs = task.completedAt - task.startedAt;
    const attempts = [{ attempt: 1, startedAt, completedAt, durationMs }];
    return {
      name,
      kind,
      status: 'Completed',
      attempt: 1,
      attempts,
      recoveryAttempts: 0,
      startedAt,
      completedAt,
    };
  }
  const { skipReason } = task;
  const skipped: Omit<TaskDetails, 'skipReason'> = {
    name,
    kind,
    status: 'Skipped',
    attempt: 0,
    attempts: [],
    recoveryAttempts: 0,
  };
  return skipReason === undefined
    ? { ...skipped, startedAt, completedAt }
    : { ...skipped, skipReason, startedAt, completedAt };
}
