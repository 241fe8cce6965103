import type {
  ControlResult,
  ControlStore,
  LockedExecution,
  PastDeadline,
  ResetTask,
  TimedOutExecution,
} from '../../store/port/index.js';
import { change, isOpenExecution, isOpenTask, type MemoryExecution } from './memory-rows.js';
import { afterReset, reopenChildSteps } from './memory-child-resets.js';
import { resetItems } from './memory-items.js';
import type { MemoryTables } from './memory-tables.js';

/** Maximum number of executions per page. */
const PAGE = 100;

const PAUSABLE: ReadonlySet<string> = new Set(['Pending', 'Running', 'Finishing']);

const UNCHANGED: ControlResult = {
  changed: false,
  workflow: '',
  hasWaiters: false,
  unsettled: 0,
  running: [],
};

export function cancel(tables: MemoryTables, id: string, reason: string | null): ControlResult {
  const execution = tables.executions.get(id);
  if (execution === undefined || !isOpenExecution(execution)) return UNCHANGED;
  if (execution.outcome !== null) return UNCHANGED;
  const running = end(tables, execution, 'Cancelled');
  execution.reason = reason;
  tables.addEvent(id, 'cancelled', { reason });
  return changed(execution, running);
}

export function pause(tables: MemoryTables, id: string, reason: string | null): ControlResult {
  const execution = tables.executions.get(id);
  if (execution === undefined || !PAUSABLE.has(execution.status)) return UNCHANGED;
  setPaused(tables, id, true);
  change(execution, { status: 'Paused', reason });
  tables.addEvent(id, 'paused', { reason });
  return changed(execution);
}

export function resume(tables: MemoryTables, id: string): ControlResult {
  const execution = tables.executions.get(id);
  if (execution?.status !== 'Paused') return UNCHANGED;
  setPaused(tables, id, false);
  const begun = execution.startedAt === null ? 'Pending' : 'Running';
  const status = execution.outcome === null ? begun : 'Finishing';
  change(execution, { status, reason: null });
  tables.addEvent(id, 'resumed');
  return changed(execution);
}

function changed(
  { workflow, hasWaiters, completedAt, unsettled: bits }: MemoryExecution,
  running: readonly number[] = [],
): ControlResult {
  const unsettled = completedAt === null ? 0 : bits;
  return { changed: true, workflow, hasWaiters, unsettled, running };
}

function setPaused(tables: MemoryTables, id: string, paused: boolean): void {
  for (const task of tables.tasks.get(id) ?? []) if (isOpenTask(task)) task.paused = paused;
}

/** Cancels the execution's open tasks and ends it. Returns the tasks that were Running. */
export function end(tables: MemoryTables, execution: MemoryExecution, status: string): number[] {
  const completedAt = tables.now();
  const running: number[] = [];
  for (const task of tables.tasks.get(execution.id) ?? []) {
    if (!isOpenTask(task)) continue;
    if (task.status === 'Running') {
      running.push(task.taskNo);
      task.claimToken++;
    } else if (task.status !== 'Waiting') {
      task.startedAt = null;
    }
    const over = { owner: null, runAt: null, paused: false, completedAt };
    change(task, { status: 'Cancelled', ...over });
  }
  change(execution, { status, completedAt, deadlineAt: null, remainingLeaves: 0 });
  return running;
}

/** A page of executions whose workflow timeout has passed, the oldest deadline first. */
export function pastDeadlines(tables: MemoryTables, after?: PastDeadline): PastDeadline[] {
  const now = tables.now();
  return [...tables.executions.values()]
    .flatMap(({ id, workflow, timeoutMs, deadlineAt }) =>
      deadlineAt === null || deadlineAt > now
        ? []
        : [{ id, workflow, timeoutMs: timeoutMs ?? 0, deadlineAt: String(deadlineAt) }],
    )
    .filter((past) => after === undefined || oldestFirst(past, after) > 0)
    .sort(oldestFirst)
    .slice(0, PAGE);
}

function oldestFirst(a: PastDeadline, b: PastDeadline): number {
  const older = Number(a.deadlineAt) - Number(b.deadlineAt);
  return older !== 0 ? older : a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Ends executions whose deadline still applies. */
export function timeOut(
  tables: MemoryTables,
  executions: readonly PastDeadline[],
  errorOf: (execution: PastDeadline) => unknown,
): TimedOutExecution[] {
  return executions.flatMap((past) => {
    const execution = tables.executions.get(past.id);
    if (execution === undefined || (execution.deadlineAt ?? Infinity) > tables.now()) return [];
    const error = errorOf(past);
    const running = end(tables, execution, 'Failed');
    execution.error = JSON.stringify(error);
    tables.addEvent(past.id, 'timedOut', { error });
    const { id, hasWaiters, unsettled } = execution;
    return [{ id, hasWaiters, unsettled, wasRunning: running.length > 0 }];
  });
}

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
    for (const item of decided.tasks) resetTask(tables, execution, item);
    for (const item of decided.tasks) {
      const map = tables.task({ executionId: id, taskNo: item.taskNo, itemNo: 0 });
      if (map !== undefined) resetItems(tables, map, item);
    }
    tables.addEvent(id, 'executionRetried', retryDetail(execution, decided.tasks));
    return begin(tables, execution, decided.leaves);
  } finally {
    unlock();
  }
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
    runAt: isReady ? Math.max(tables.now(), execution.runAt ?? 0) : null,
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
  const { startedAt, timeoutMs, runAt, generation } = execution;
  const deadlineAt = startedAt === null || timeoutMs === null ? null : now + timeoutMs;
  change(execution, {
    status: startedAt === null ? 'Pending' : 'Running',
    context: null,
    error: null,
    reason: null,
    completedAt: null,
    hasWaiters: false,
    generation: generation + 1,
    unsettled: afterReset(tables, execution),
    remainingLeaves: leaves,
    unhandledFailures: 0,
    deadlineAt,
  });
  return runAt === null ? 0 : runAt - now;
}
