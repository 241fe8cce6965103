import type {
  ClaimChoice,
  ClaimedTask,
  ClaimKey,
  LeaseWrite,
  Reschedule,
  RescheduleResult,
  TaskKey,
} from '../../store/port/index.js';
import { MAX_DURATION_MS } from '../../workflow/index.js';
import { appendAttempt } from './memory-attempts.js';
import { assertStorable } from './memory-failure.js';
import { writeLease } from './memory-leases.js';
import { change, isWaiting, type MemoryTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';
import { nextToken } from './memory-tokens.js';

/** From this number of recoveries on, a task is a suspect and begins by a statement of its own. */
export const SUSPECT_AFTER = 2;
/** Maximum length of an input that a claim returns, in characters. */
const MAX_INPUT = 2_000;

export interface Claiming {
  readonly definitions: readonly string[];
  readonly unknown: readonly (readonly [definition: string, task: number])[];
  readonly limit: number;
  readonly choice: ClaimChoice;
}

/** Claims due tasks, by descending priority, then by due time. */
export function claim(
  tables: MemoryTables,
  { definitions, unknown, limit, choice }: Claiming,
  lease: LeaseWrite,
): ClaimedTask[] {
  const now = tables.now();
  const asked = new Set(definitions);
  const left = new Set(unknown.map(([definition, taskNo]) => `${definition}/${taskNo}`));
  const except = new Set(choice.except?.map(rowKey));
  const due = tables
    .allTasks()
    .filter(isWaiting)
    .filter(
      (task) =>
        task.runAt <= now &&
        asked.has(task.definitionId) &&
        !left.has(`${task.definitionId}/${task.taskNo}`) &&
        task.limitKey === null &&
        !except.has(rowKey(task)),
    )
    .sort((a, b) => b.priority - a.priority || a.runAt - b.runAt)
    .slice(0, limit);
  const waitedMs = new Map(due.map((task) => [rowKey(task), now - task.runAt]));
  const claims = claimAll(tables, due, lease);
  if (choice.timed !== true) return claims;
  return claims.map((one) => ({ ...one, waitedMs: waitedMs.get(rowKey(one)) }));
}

/** Claims these tasks. */
export function claimAll(
  tables: MemoryTables,
  tasks: readonly MemoryTask[],
  lease: LeaseWrite,
): ClaimedTask[] {
  for (const task of tasks) {
    const { claimToken, recoveryAttempts } = task;
    const startedAt = recoveryAttempts < SUSPECT_AFTER ? tables.now() : null;
    hold(task, lease.claimant.instanceId, nextToken(claimToken, tables.clock), startedAt);
  }
  const { inputs, expired } = begin(tables, tasks);
  writeLease(tables, lease);
  return tasks.map((task) => ({
    ...claimedTask(tables, task),
    input: inputs.get(task.executionId),
    ...(expired.has(task.executionId) ? { isExpired: true } : {}),
  }));
}

export function rowKey({ executionId, taskNo, itemNo }: TaskKey): string {
  return `${executionId}/${taskNo}/${itemNo}`;
}

/** Makes the task a claim of the owner. */
export function hold(
  task: MemoryTask,
  owner: string,
  token: number,
  startedAt: number | null,
): void {
  change(task, { status: 'Running', claimToken: token, owner, runAt: null, startedAt });
}

/** Ends the claim. The task is due in `delayMs`. */
export function giveBack(tables: MemoryTables, task: MemoryTask, delayMs: number): void {
  const { claimToken } = task;
  const runAt = tables.now() + delayMs;
  change(task, { status: 'Ready', claimToken: claimToken + 1, owner: null, runAt });
}

/**
 * Begins executions with their first claims. Returns their inputs, except large ones, and the executions that must not begin
 * any more.
 */
function begin(
  tables: MemoryTables,
  claimed: readonly MemoryTask[],
): { readonly inputs: Map<string, string>; readonly expired: Set<string> } {
  const now = tables.now();
  const inputs = new Map<string, string>();
  const expired = new Set<string>();
  for (const { executionId } of claimed) {
    const execution = tables.executions.get(executionId);
    if (execution === undefined || execution.startedAt !== null) continue;
    if (execution.deadlineAt !== null && execution.deadlineAt <= now) {
      expired.add(executionId);
      continue;
    }
    if (execution.status === 'Pending') execution.status = 'Running';
    execution.startedAt = now;
    execution.deadlineAt = execution.timeoutMs === null ? null : now + execution.timeoutMs;
    if (execution.input.length <= MAX_INPUT) inputs.set(executionId, execution.input);
  }
  return { inputs, expired };
}

export function claimedTask(tables: MemoryTables, task: MemoryTask): ClaimedTask {
  const { executionId, taskNo, itemNo, definitionId, claimToken, deferredSince } = task;
  const { attempt, recoveryAttempts, unmetDependencies, generation, priority } = task;
  const { wakes, hasSteps } = task;
  const deferredForMs = deferredSince === null ? null : tables.now() - deferredSince;
  return {
    executionId,
    taskNo,
    itemNo,
    definitionId,
    token: claimToken,
    attempt,
    recoveryAttempts,
    unmetDependencies,
    generation,
    deferredForMs,
    priority,
    wakes,
    hasSteps,
    input: undefined,
  };
}

/** Ends claims without an outcome. */
export function reschedule(tables: MemoryTables, items: readonly Reschedule[]): RescheduleResult[] {
  const retries = items.filter(({ kind }) => kind === 'retry');
  assertStorable(retries.map(({ error }) => JSON.stringify({ error })));
  return items.map((item) => {
    const task = tables.task(item);
    if (task?.claimToken !== item.token) return 'refused';
    if (item.kind === 'retry') countAttempt(tables, task, item.error);
    if (item.kind === 'defer') defer(tables, task);
    giveBack(tables, task, wholeDelay(item.delayMs ?? 0));
    return item.kind === 'suspend' ? suspend(tables, task, item) : 'ended';
  });
}

/** Makes a task that was given back wait, unless it was woken since its claim. */
function suspend(tables: MemoryTables, task: MemoryTask, item: Reschedule): RescheduleResult {
  change(task, {
    status: 'Waiting',
    recoveryAttempts: 0,
    deferredSince: null,
    pendingDependencies: item.joins ?? 0,
  });
  if (task.wakes !== item.wakes) {
    task.pendingDependencies = 0;
    task.runAt = tables.now();
    return 'woken';
  }
  if (item.delayMs === null) task.runAt = null;
  return 'ended';
}

/** Records an event for the first deferral only. */
function defer(tables: MemoryTables, task: MemoryTask): void {
  if (task.deferredSince !== null) return;
  task.deferredSince = tables.now();
  tables.addTaskEvent(task, 'deferred');
}

function countAttempt(tables: MemoryTables, task: MemoryTask, error: unknown): void {
  appendAttempt(task, error, tables.now());
  task.error = error === undefined ? null : JSON.stringify(error);
  task.recoveryAttempts = 0;
  task.deferredSince = null;
  const { attempt, owner } = task;
  const startedAt = task.startedAt === null ? null : new Date(task.startedAt).toISOString();
  const detail = { attempt, startedAt, owner, error: error ?? null };
  tables.addTaskEvent(task, 'retried', detail);
}

function wholeDelay(delayMs: number): number {
  return Number.isNaN(delayMs) ? 0 : Math.ceil(Math.min(Math.max(0, delayMs), MAX_DURATION_MS));
}

/** Notes that a suspect begins. Returns whether the claim is still valid. */
export function beginSuspect(tables: MemoryTables, claimed: ClaimKey): boolean {
  const task = tables.task(claimed);
  if (task?.claimToken !== claimed.token) return false;
  task.startedAt = tables.now();
  return true;
}
