import type { ControlResult, PastDeadline, TimedOutExecution } from '../../store/port/index.js';
import { EXPIRED } from '../../store/port/index.js';
import { change, isOpenExecution, isOpenTask, type MemoryExecution } from './memory-rows.js';
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

export function cancel(
  tables: MemoryTables,
  id: string,
  reason: string | null,
  actor: string | null,
): ControlResult {
  const execution = tables.executions.get(id);
  if (execution === undefined || !isOpenExecution(execution)) return UNCHANGED;
  if (execution.outcome !== null) return UNCHANGED;
  const running = end(tables, execution, 'Cancelled');
  execution.reason = reason;
  tables.addEvent(id, 'cancelled', detailOf(reason, actor));
  return changed(execution, running);
}

export function pause(
  tables: MemoryTables,
  id: string,
  reason: string | null,
  actor: string | null,
): ControlResult {
  const execution = tables.executions.get(id);
  if (execution === undefined || !PAUSABLE.has(execution.status)) return UNCHANGED;
  setPaused(tables, id, true);
  change(execution, { status: 'Paused', reason });
  tables.addEvent(id, 'paused', detailOf(reason, actor));
  return changed(execution);
}

export function resume(tables: MemoryTables, id: string, actor: string | null): ControlResult {
  const execution = tables.executions.get(id);
  if (execution?.status !== 'Paused') return UNCHANGED;
  setPaused(tables, id, false);
  const begun = execution.startedAt === null ? 'Pending' : 'Running';
  const status = execution.outcome === null ? begun : 'Finishing';
  change(execution, { status, reason: null });
  tables.addEvent(id, 'resumed', actor === null ? undefined : { actor });
  return changed(execution);
}

/** What an event says about its cause. */
export function detailOf(reason: string | null, actor: string | null): object {
  return { reason, ...(actor === null ? {} : { actor }) };
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
    .flatMap(({ id, workflow, timeoutMs, deadlineAt, startedAt }) =>
      deadlineAt === null || deadlineAt > now
        ? []
        : [
            {
              id,
              workflow,
              timeoutMs: timeoutMs ?? 0,
              deadlineAt: String(deadlineAt),
              hasBegun: startedAt !== null,
            },
          ],
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
    const hasExpired = execution.startedAt === null;
    const running = end(tables, execution, hasExpired ? 'Cancelled' : 'Failed');
    if (hasExpired) {
      execution.reason = EXPIRED;
      tables.addEvent(past.id, 'expired');
    } else {
      const error = errorOf(past);
      execution.error = JSON.stringify(error);
      tables.addEvent(past.id, 'timedOut', { error });
    }
    const { id, hasWaiters, unsettled } = execution;
    return [{ id, hasWaiters, unsettled, hasExpired, wasRunning: running.length > 0 }];
  });
}
