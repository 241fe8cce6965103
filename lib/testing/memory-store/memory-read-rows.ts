import {
  type ExecutionRow,
  type ListedStep,
  MAX_LISTED_STEPS,
  type OpenWait,
  type StepDetail,
  type TaskRow,
} from '../../store/port/index.js';
import { waitsForTurn } from './memory-admissions.js';
import { progressOf } from './memory-progress.js';
import type { MemoryExecution, MemoryStep, MemoryTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** An execution as a reader gets it: its row without what only the engine reads. */
export function executionRow(execution: MemoryExecution): ExecutionRow {
  const { priority, runAt, timeoutMs, depth, onParentEnd, unsettled, generation, ...row } =
    execution;
  const { outcome, remainingLeaves, unhandledFailures, hasWaiters, deadlineAt, ...rest } = row;
  const { parentExecutionId, parentTaskNo, parentItemNo, rootExecutionId, ...turn } = rest;
  const { admissionKey, admitted, debounceKey, debouncedBy, batchCount, ...marked } = turn;
  const { traceContext, legalHold, ...read } = marked;
  return {
    ...read,
    createdAt: new Date(execution.createdAt),
    startedAt: date(execution.startedAt),
    completedAt: date(execution.completedAt),
    parentId: parentExecutionId,
    rootId: rootExecutionId,
    startBefore: execution.startedAt === null ? date(deadlineAt) : null,
    turn:
      admissionKey !== null && waitsForTurn(execution)
        ? { key: admissionKey, at: new Date(execution.runAt) }
        : null,
  };
}

/** A task as a reader gets it: its row without what only the engine reads. */
export function taskRow(tables: MemoryTables, task: MemoryTask): TaskRow {
  const { definitionId, priority, claimToken, generation, item, ...row } = task;
  const { wakes, hasSteps, deferredSince, ...read } = row;
  const { owner, status } = task;
  const lease = owner === null ? undefined : tables.leases.get(owner);
  return {
    ...read,
    runAt: date(task.runAt),
    deferred: deferredSince !== null,
    deletedKeys: task.deletedKeys ?? [],
    startedAt: date(task.startedAt),
    completedAt: date(task.completedAt),
    isOrphaned: status === 'Running' && !(lease !== undefined && lease.expiresAt > tables.now()),
    wait: status === 'Waiting' ? openWaitOf(tables, task) : null,
    progress: progressOf(task),
    steps: [],
  };
}

/** The newest checkpoints of a task, oldest first. */
export function listedSteps(
  tables: MemoryTables,
  task: MemoryTask,
  detail: StepDetail,
): ListedStep[] {
  if (detail === 'none') return [];
  const order = (a: MemoryStep, b: MemoryStep): number =>
    a.startedAt - b.startedAt || (a.name < b.name ? -1 : 1);
  return tables
    .stepsOf(task)
    .toSorted(order)
    .slice(-MAX_LISTED_STEPS)
    .map(({ name, kind, status, startedAt, completedAt, dueAt, result }) => ({
      name,
      kind,
      status,
      startedAt: new Date(startedAt),
      completedAt: date(completedAt),
      dueAt: date(dueAt),
      result: detail === 'results' ? result : null,
    }));
}

/** The first open wait of a task; one that is due first comes first. */
function openWaitOf(tables: MemoryTables, task: MemoryTask): OpenWait | null {
  const [first] = tables
    .stepsOf(task)
    .filter(({ status, name }) => status === 'Open' && !name.includes('##'))
    .sort((a, b) => (a.dueAt ?? Infinity) - (b.dueAt ?? Infinity) || a.startedAt - b.startedAt);
  if (first === undefined) return null;
  const { name, childId, startedAt, dueAt, listensFor } = first;
  const kind = first.kind as OpenWait['kind'];
  const times = { since: new Date(startedAt), until: date(dueAt) };
  return { name, kind, ...times, eventName: listensFor?.name ?? null, childId };
}

function date(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
