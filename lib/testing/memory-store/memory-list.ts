import { hasTags, isBuiltInName, slotKeyOf } from '../../workflow/index.js';
import {
  type ExecutionCount,
  type ExecutionCountFilter,
  type ExecutionListFilter,
  type ListedExecution,
  type WaitingTask,
  waitingTaskOf,
} from '../../store/port/index.js';
import { executionRow, taskRow } from './memory-read-rows.js';
import { isWaiting, type MemoryExecution, type MemoryTask } from './memory-rows.js';
import { isHeld } from './memory-slots.js';
import type { MemoryTables } from './memory-tables.js';

/** A page, newest first. */
export function list(tables: MemoryTables, filter: ExecutionListFilter): ListedExecution[] {
  const { after, limit } = filter;
  const isAny = !saysWhich(filter) && filter.withBuiltIns !== true;
  return matchingExecutions(tables, filter)
    .filter(({ workflow }) => !isAny || !isBuiltInName(workflow))
    .map((execution) => listed(tables, execution))
    .filter((row) => after === undefined || newestFirst(after, row) < 0)
    .sort(newestFirst)
    .slice(0, limit);
}

/** Whether a filter says which executions it is for, so that built-in workflows are among them. */
function saysWhich(filter: Omit<ExecutionListFilter, 'limit'>): boolean {
  const { workflow, ids, idempotencyKey, waitingFor, limitKey, parent, root } = filter;
  return [workflow, ids, idempotencyKey, waitingFor, limitKey, parent, root].some(
    (given) => given !== undefined,
  );
}

/** The executions that match a filter, in no order. */
export function matchingExecutions(
  tables: MemoryTables,
  filter: Omit<ExecutionListFilter, 'limit' | 'after'>,
): MemoryExecution[] {
  const { ids, idempotencyKey: key, waitingFor, limitKey, parent, root } = filter;
  return matching(tables, filter)
    .filter(({ id }) => ids === undefined || ids.includes(id))
    .filter(({ idempotencyKey }) => key === undefined || idempotencyKey === key)
    .filter(({ id }) => waitingFor === undefined || waitsFor(tables, id, waitingFor))
    .filter(
      ({ id }) => limitKey === undefined || countsFor(tables, id, limitKey, filter.limitIsStrict),
    )
    .filter((execution) => parent === undefined || execution.parentExecutionId === parent)
    .filter((execution) => root === undefined || execution.rootExecutionId === root);
}

function waitsFor(tables: MemoryTables, id: string, name: string): boolean {
  return (tables.steps.get(id) ?? []).some(
    (step) =>
      step.status === 'Open' &&
      step.listensFor?.name === name &&
      tables.task(step)?.status === 'Waiting',
  );
}

/** Whether a task of the execution waits for a slot of the key, or holds one. */
function countsFor(tables: MemoryTables, id: string, limitKey: string, isStrict = false): boolean {
  const { holders } = tables.slots.get(limitKey) ?? { holders: [] };
  const holds = (task: MemoryTask): boolean =>
    task.status === 'Running' ||
    (isStrict && holders.some((held) => tables.task(held) === task && isHeld(tables, held, true)));
  return (tables.tasks.get(id) ?? []).some(
    (task) =>
      task.limitKey !== null &&
      slotKeyOf(task.limitKey) === limitKey &&
      (isWaiting(task) || holds(task)),
  );
}

/** Counts by workflow and status. */
export function count(tables: MemoryTables, filter: ExecutionCountFilter): ExecutionCount[] {
  const counts = new Map<string, ExecutionCount>();
  for (const { workflow, status } of matching(tables, filter)) {
    if (filter.workflow === undefined && isBuiltInName(workflow)) continue;
    const key = JSON.stringify([workflow, status]);
    counts.set(key, { workflow, status, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

function matching(
  tables: MemoryTables,
  { workflow, statuses, tags, createdAfter, createdBefore }: ExecutionCountFilter,
): MemoryExecution[] {
  return [...tables.executions.values()].filter(
    (execution) =>
      (workflow === undefined || execution.workflow === workflow) &&
      (statuses === undefined || statuses.includes(execution.status)) &&
      (tags === undefined || hasTags(execution.tags, tags)) &&
      (createdAfter === undefined || execution.createdAt > createdAfter.getTime()) &&
      (createdBefore === undefined || execution.createdAt < createdBefore.getTime()),
  );
}

function listed(tables: MemoryTables, execution: MemoryExecution): ListedExecution {
  const { input: _, context: __, ...row } = executionRow(execution);
  const { id, status, definitionId, error } = row;
  const failed = ownTasks(tables, id).find(
    (task) => task.status === 'Failed' && !task.failureHandled,
  );
  return {
    ...row,
    version: tables.definitions.get(definitionId)?.version ?? null,
    failedTask: error === null && status === 'Failed' ? (failed?.taskNo ?? null) : null,
    error: error ?? (status === 'Failed' ? (failed?.error ?? null) : null),
    waiting: waitingOf(tables, execution),
    createdAtMicros: String(execution.createdAt * 1_000),
  };
}

function waitingOf(tables: MemoryTables, { id, status }: MemoryExecution): WaitingTask | null {
  if (status !== 'Pending' && status !== 'Running' && status !== 'Finishing') return null;
  const task = waitingTaskOf(ownTasks(tables, id).map((row) => taskRow(tables, row)));
  if (task === undefined) return null;
  const { executionId, taskNo, itemNo, attempt, paused, deferred, runAt, isOrphaned, wait } = task;
  const key = { executionId, taskNo, itemNo };
  const { status: of, limitKey } = task;
  return { ...key, status: of, attempt, paused, deferred, runAt, limitKey, isOrphaned, wait };
}

/** The tasks of an execution without the items of its maps. */
function ownTasks(tables: MemoryTables, id: string): MemoryTask[] {
  return (tables.tasks.get(id) ?? []).filter(({ itemNo }) => itemNo === 0);
}

type Place = Pick<ListedExecution, 'createdAtMicros' | 'id'>;

export function newestFirst(a: Place, b: Place): number {
  const younger = Number(b.createdAtMicros) - Number(a.createdAtMicros);
  return younger !== 0 ? younger : a.id > b.id ? -1 : a.id < b.id ? 1 : 0;
}
