import type {
  BulkReset,
  BulkStore,
  ControlStore,
  LockedExecution,
  ResetDecision,
  ResetTask,
} from '../../store/port/index.js';
import { afterReset, reopenChildSteps } from './memory-child-resets.js';
import { resetItems } from './memory-items.js';
import { change, type MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** Calls `decide` under the lock, and resets the tasks that it returns. */
export async function reset(
  tables: MemoryTables,
  id: string,
  decide: Parameters<ControlStore['reset']>[1],
): Promise<number | undefined> {
  const unlock = await tables.lock();
  try {
    const execution = tables.executions.get(id);
    if (execution === undefined) return undefined;
    const decided = await decide(lockedExecution(tables, execution));
    if (decided === null) return 0;
    return resetLocked(tables, execution, decided);
  } finally {
    unlock();
  }
}

/** The same with many. No row is locked in memory, so nothing is ever left. */
export async function resetMany(
  tables: MemoryTables,
  ids: readonly string[],
  decide: Parameters<BulkStore['reset']>[1],
): Promise<BulkReset> {
  const unlock = await tables.lock();
  try {
    const decided: (readonly [MemoryExecution, ResetDecision])[] = [];
    for (const id of new Set(ids)) {
      const execution = tables.executions.get(id);
      if (execution === undefined || execution.completedAt === null) continue;
      const decision = await decide({ id, ...lockedExecution(tables, execution) });
      if (decision !== null) decided.push([execution, decision]);
    }
    const done = decided.map(([execution, decision]) => ({
      id: execution.id,
      dueInMs: resetLocked(tables, execution, decision),
    }));
    return { reset: done, left: [] };
  } finally {
    unlock();
  }
}

/** Resets tasks with the items of maps. Returns in how many milliseconds the execution is due. */
function resetLocked(
  tables: MemoryTables,
  execution: MemoryExecution,
  { tasks, leaves, actor }: ResetDecision,
): number {
  const { id } = execution;
  // The order of the events.
  const sorted = tasks.toSorted((a, b) => a.taskNo - b.taskNo);
  for (const item of sorted) resetTask(tables, execution, item);
  for (const item of tasks) {
    const map = tables.task({ executionId: id, taskNo: item.taskNo, itemNo: 0 });
    if (map !== undefined) resetItems(tables, map, item);
  }
  tables.addEvent(id, 'executionRetried', {
    ...retryDetail(execution, tasks),
    ...(actor === null || actor === undefined ? {} : { actor }),
  });
  return begin(tables, execution, leaves);
}

function lockedExecution(tables: MemoryTables, execution: MemoryExecution): LockedExecution {
  const { definitionId, status, generation, unsettled } = execution;
  const tasks = tables.tasksOf(execution.id).map((task) => ({
    taskNo: task.taskNo,
    status: task.status,
    skipReason: task.skipReason,
  }));
  return { definitionId, status, generation, unsettled, tasks };
}

function resetTask(tables: MemoryTables, execution: MemoryExecution, item: ResetTask): void {
  const task = tables.task({ executionId: execution.id, taskNo: item.taskNo, itemNo: 0 });
  if (task === undefined) return;
  const { status, skipReason } = task;
  const was = {
    status,
    skipReason,
    attempts: parsed(task.attempts),
    error: parsed(task.error),
    startedAt: timestamp(task.startedAt),
    completedAt: timestamp(task.completedAt),
  };
  tables.addTaskEvent(task, 'reset', was);
  tables.deleteSteps(
    task,
    (step) => !item.keepsSteps || (step.status !== 'Done' && step.kind !== 'child'),
  );
  reopenChildSteps(tables, task);
  const isReady = item.pendingDependencies === 0;
  change(task, {
    status: isReady ? 'Ready' : 'NotStarted',
    runAt:
      isReady && execution.admissionKey === null
        ? Math.max(tables.now(), execution.runAt ?? 0)
        : null,
    pendingDependencies: item.pendingDependencies,
    unmetDependencies: item.unmetDependencies,
    generation: task.generation + 1,
    hasSteps: task.hasSteps && item.keepsSteps,
    paused: false,
    failureHandled: false,
    attempt: 0,
    attempts: null,
    recoveryAttempts: 0,
    skipReason: null,
    output: null,
    deletedKeys: null,
    error: null,
    deferredSince: null,
    startedAt: null,
    completedAt: null,
    owner: null,
  });
}

/** Which tasks are retried, and how the execution had ended. */
function retryDetail(execution: MemoryExecution, tasks: readonly ResetTask[]): object {
  const { status, reason, error, completedAt } = execution;
  return {
    tasks: tasks.length,
    taskNos: tasks.map(({ taskNo }) => taskNo).sort((a, b) => a - b),
    status,
    reason,
    error: parsed(error),
    completedAt: timestamp(completedAt),
  };
}

function parsed(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** Prepares the execution's next run. Returns in how many milliseconds it is due. */
function begin(tables: MemoryTables, execution: MemoryExecution, leaves: number): number {
  const now = tables.now();
  const { startedAt, timeoutMs, admissionKey, generation } = execution;
  const runAt = admissionKey === null ? execution.runAt : Math.max(now, execution.runAt ?? 0);
  const deadlineAt = startedAt === null || timeoutMs === null ? null : now + timeoutMs;
  change(execution, {
    status: startedAt === null ? 'Pending' : 'Running',
    context: null,
    error: null,
    reason: null,
    completedAt: null,
    hasWaiters: false,
    generation: generation + 1,
    admitted: false,
    runAt,
    unsettled: afterReset(tables, execution),
    remainingLeaves: leaves,
    unhandledFailures: 0,
    deadlineAt,
  });
  return runAt === null ? 0 : runAt - now;
}
