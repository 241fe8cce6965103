import { hasTags } from '../../workflow/index.js';
import {
  type ExecutionCount,
  type ExecutionCountFilter,
  type ExecutionDetails,
  type ExecutionInput,
  type ExecutionListFilter,
  type ExecutionRow,
  type ListedExecution,
  type ListedStep,
  MAX_LISTED_STEPS,
  type OpenWait,
  type RecordedOutcome,
  type StepDetail,
  type TaskKey,
  type TaskRow,
  type WaitingTask,
  waitingTaskOf,
} from '../../store/port/index.js';
import {
  isOpenExecution,
  isOpenTask,
  type MemoryExecution,
  type MemoryStep,
  type MemoryTask,
} from './memory-rows.js';
import { progressOf } from './memory-progress.js';
import type { MemoryTables } from './memory-tables.js';

export function readExecutions(tables: MemoryTables, ids: readonly string[]): ExecutionRow[] {
  return found(tables, ids).map(executionRow);
}

export function readDetails(
  tables: MemoryTables,
  ids: readonly string[],
  contexts: boolean,
  steps: StepDetail,
): ExecutionDetails[] {
  return found(tables, [...ids].sort()).map((execution) => ({
    ...executionRow(execution),
    ...(contexts ? {} : { input: '{}', context: null }),
    tasks: tables.tasksOf(execution.id).map((task) => ({
      ...taskRow(tables, task),
      ...(contexts ? {} : { output: null }),
      steps: listedSteps(tables, task, steps),
    })),
  }));
}

export function statusesOf(tables: MemoryTables, ids: readonly string[]): Map<string, string> {
  return new Map(found(tables, ids).map(({ id, status }) => [id, status]));
}

/** A page, newest first. */
export function list(tables: MemoryTables, filter: ExecutionListFilter): ListedExecution[] {
  const { after, limit, idempotencyKey: key, waitingFor, parent, root } = filter;
  return matching(tables, filter)
    .filter(({ idempotencyKey }) => key === undefined || idempotencyKey === key)
    .filter(({ id }) => waitingFor === undefined || waitsFor(tables, id, waitingFor))
    .filter((execution) => parent === undefined || execution.parentExecutionId === parent)
    .filter((execution) => root === undefined || execution.rootExecutionId === root)
    .map((execution) => listed(tables, execution))
    .filter((row) => after === undefined || newestFirst(after, row) < 0)
    .sort(newestFirst)
    .slice(0, limit);
}

function waitsFor(tables: MemoryTables, id: string, name: string): boolean {
  return (tables.steps.get(id) ?? []).some(
    (step) =>
      step.status === 'Open' &&
      step.listensFor?.name === name &&
      tables.task(step)?.status === 'Waiting',
  );
}

/** Counts by workflow and status. */
export function count(tables: MemoryTables, filter: ExecutionCountFilter): ExecutionCount[] {
  const counts = new Map<string, ExecutionCount>();
  for (const { workflow, status } of matching(tables, filter)) {
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
  const { id, workflow, definitionId, status, reason, idempotencyKey, tags } = execution;
  const failed = (tables.tasks.get(id) ?? []).find(
    (task) => task.status === 'Failed' && !task.failureHandled,
  );
  return {
    id,
    workflow,
    definitionId,
    version: tables.definitions.get(definitionId)?.version ?? null,
    status,
    error: execution.error ?? (status === 'Failed' ? (failed?.error ?? null) : null),
    reason,
    idempotencyKey,
    tags,
    waiting: waitingOf(tables, execution),
    createdAt: new Date(execution.createdAt),
    startedAt: date(execution.startedAt),
    completedAt: date(execution.completedAt),
    ...parentOf(execution),
    createdAtMicros: String(execution.createdAt * 1_000),
  };
}

function waitingOf(tables: MemoryTables, { id, status }: MemoryExecution): WaitingTask | null {
  if (status !== 'Pending' && status !== 'Running' && status !== 'Finishing') return null;
  const task = waitingTaskOf((tables.tasks.get(id) ?? []).map((row) => taskRow(tables, row)));
  if (task === undefined) return null;
  const { executionId, taskNo, itemNo, attempt, paused, deferred, runAt, isOrphaned, wait } = task;
  const key = { executionId, taskNo, itemNo };
  return { ...key, status: task.status, attempt, paused, deferred, runAt, isOrphaned, wait };
}

type Place = Pick<ListedExecution, 'createdAtMicros' | 'id'>;

function newestFirst(a: Place, b: Place): number {
  const younger = Number(b.createdAtMicros) - Number(a.createdAtMicros);
  return younger !== 0 ? younger : a.id > b.id ? -1 : a.id < b.id ? 1 : 0;
}

/** Notes that a process waits for the ends of the unfinished executions. Returns the statuses of all. */
export function awaitEnds(tables: MemoryTables, ids: readonly string[]): Map<string, string> {
  const executions = found(tables, ids);
  for (const execution of executions) if (isOpenExecution(execution)) execution.hasWaiters = true;
  return new Map(executions.map(({ id, status }) => [id, status]));
}

export function readInputs(
  tables: MemoryTables,
  ids: readonly string[],
): Map<string, ExecutionInput> {
  return new Map(
    found(tables, ids).map(({ id, input, deadlineAt }) => [
      id,
      { input, deadlineInMs: deadlineAt === null ? null : deadlineAt - tables.now() },
    ]),
  );
}

/** Returns the outcomes of those tasks that have ended. */
export function readOutcomes(tables: MemoryTables, keys: readonly TaskKey[]): RecordedOutcome[] {
  return keys.flatMap((key) => {
    const task = tables.task(key);
    if (task === undefined || isOpenTask(task)) return [];
    const { status, skipReason, output, claimToken: token } = task;
    const error = status === 'Failed' ? task.error : null;
    const deletedKeys = task.deletedKeys ?? [];
    return [{ ...key, status, skipReason, error, output, deletedKeys, token }];
  });
}

export function writeFinalContext(
  tables: MemoryTables,
  id: string,
  context: string,
  generation: number,
): void {
  const execution = tables.executions.get(id);
  if (execution === undefined) return;
  const hasEnded = execution.status === 'Completed' || execution.status === 'Failed';
  if (hasEnded && execution.generation === generation) execution.context ??= context;
}

function found(tables: MemoryTables, ids: readonly string[]): MemoryExecution[] {
  return [...new Set(ids)].flatMap((id) => tables.executions.get(id) ?? []);
}

function executionRow(execution: MemoryExecution): ExecutionRow {
  const { id, workflow, definitionId, status, input, context, error, reason } = execution;
  const { idempotencyKey, tags } = execution;
  return {
    id,
    workflow,
    definitionId,
    status,
    input,
    context,
    error,
    reason,
    idempotencyKey,
    tags,
    createdAt: new Date(execution.createdAt),
    startedAt: date(execution.startedAt),
    completedAt: date(execution.completedAt),
    ...parentOf(execution),
  };
}

function parentOf({
  parentExecutionId: parentId,
  parentStep,
  rootExecutionId: rootId,
}: MemoryExecution): Pick<ExecutionRow, 'parentId' | 'parentStep' | 'rootId'> {
  return { parentId, parentStep, rootId };
}

function taskRow(tables: MemoryTables, task: MemoryTask): TaskRow {
  const { executionId, taskNo, itemNo, status, pendingDependencies, attempt } = task;
  const { recoveryAttempts } = task;
  const { owner, paused, failureHandled, skipReason, output, error, attempts } = task;
  const lease = owner === null ? undefined : tables.leases.get(owner);
  return {
    executionId,
    taskNo,
    itemNo,
    status,
    pendingDependencies,
    attempt,
    recoveryAttempts,
    owner,
    paused,
    failureHandled,
    runAt: date(task.runAt),
    deferred: task.deferredSince !== null,
    skipReason,
    output,
    deletedKeys: task.deletedKeys ?? [],
    error,
    attempts,
    startedAt: date(task.startedAt),
    completedAt: date(task.completedAt),
    isOrphaned: status === 'Running' && !(lease !== undefined && lease.expiresAt > tables.now()),
    wait: status === 'Waiting' ? openWaitOf(tables, task) : null,
    progress: progressOf(task),
    steps: [],
  };
}

/** The newest checkpoints of a task, oldest first. */
function listedSteps(tables: MemoryTables, task: MemoryTask, detail: StepDetail): ListedStep[] {
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
