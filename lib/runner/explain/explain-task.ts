import type { ClaimOwnerRow, TaskRow } from '../../store/port/index.js';
import {
  isMapLimit,
  isTaskTerminal,
  mapKeyIn,
  slotKeyOf,
  splitAdmissionKey,
  turnPolicyOf,
  type CompiledTask,
  type TaskStatus,
} from '../../workflow/index.js';
import type { LimitHolder, LimitKeyRef, LimitState } from '../limit-state.js';
import { parseError } from '../task-view.js';
import { processReason, refOf } from './able-processes.js';
import type { ExplainReason } from './explain-reason.js';
import { waitReason } from './explain-wait.js';
import { given, isSameTask, type Facts } from './facts.js';

/** Max numbers of what a reason lists. */
const MAX_DEPENDENCIES = 20;
const MAX_HOLDERS = 10;
/** Time after its timeout from which a handler of another process counts as hung, in milliseconds. */
const OVERDUE_MS = 5_000;

/** Why a task or an item has not ended. A map that waits for its items is explained by the caller. */
export function explainTask(facts: Facts, row: TaskRow, task: CompiledTask): ExplainReason {
  const { unreadable, execution } = facts;
  if (row.status === 'Running') return runningReason(facts, row, task);
  if (row.paused) {
    return {
      kind: 'paused',
      ...given('reason', execution.reason),
      ...given('actor', facts.pausedBy),
    };
  }
  if (unreadable !== undefined) {
    return { kind: 'definition', definitionId: execution.definitionId, message: unreadable };
  }
  if (row.status === 'NotStarted') return dependenciesReason(facts, task);
  if (execution.turn !== null) return turnReason(facts, execution.turn);
  const isDue = row.runAt !== null && row.runAt.getTime() <= facts.now;
  if (row.status === 'Waiting' && !isDue && row.wait !== null)
    return waitReason(facts, row, row.wait);
  if (row.runAt !== null && !isDue) return timeReason(row, task, row.runAt);
  if (facts.pause !== undefined) {
    const { workflow, reason, pausedAt: since } = facts.pause;
    const actor = given('actor', facts.workflowPausedBy);
    return { kind: 'workflowPaused', workflow, ...given('reason', reason), ...actor, since };
  }
  return limitReason(facts, row, task) ?? processReason(facts, row, task);
}

function runningReason(facts: Facts, row: TaskRow, task: CompiledTask): ExplainReason {
  const { own, now, processes } = facts;
  const owner = processes.owners.find(({ instanceId }) => instanceId === row.owner);
  if (row.isOrphaned || (owner?.lost ?? null) !== null) return lostReason(owner);
  // The owner has released its lease since the task's row was read: the task has ended by now.
  const process = owner === undefined ? { name: '', id: '' } : refOf(owner);
  const hung = own.hung.find((one) => one.executionId === row.executionId && isSameTask(one, row));
  if (hung !== undefined) {
    const { ignoredForMs, keepsSlot } = hung;
    return { kind: 'hungHandler', process, ignoredForMs, keepsSlot };
  }
  if (row.startedAt === null || own.isQueued(row)) return { kind: 'claimed', process };
  const timeoutAt = row.startedAt.getTime() + task.timeoutMs;
  // This process itself ends an attempt at its timeout, so an attempt here that looks overdue has waited for its slot.
  if (now > timeoutAt + OVERDUE_MS && process.id !== own.processId) {
    return { kind: 'hungHandler', process, ignoredForMs: now - timeoutAt };
  }
  return { kind: 'running', process, since: row.startedAt, timeoutAt: new Date(timeoutAt) };
}

function lostReason(owner: ClaimOwnerRow | undefined): ExplainReason {
  if (owner === undefined) return { kind: 'recovery', cause: 'noLease' };
  return { kind: 'recovery', process: refOf(owner), cause: owner.lost ?? 'leaseOver' };
}

function dependenciesReason({ execution, definition }: Facts, task: CompiledTask): ExplainReason {
  const statusOf = (no: number): TaskStatus =>
    (execution.tasks[no]?.status ?? 'NotStarted') as TaskStatus;
  const open = task.dependsOn
    .filter((no) => !isTaskTerminal(statusOf(no)))
    .map((no) => ({
      task: definition.workflow.tasks[no]?.name ?? String(no),
      status: statusOf(no),
    }));
  return { kind: 'dependencies', open: open.slice(0, MAX_DEPENDENCIES), count: open.length };
}

function turnReason(
  { now, turns, execution }: Facts,
  { key: stored, at }: { key: string; at: Date },
): ExplainReason {
  if (at.getTime() > now) return { kind: 'startTime', until: at };
  const state = turns.get(stored);
  const { workflow: name, key } = splitAdmissionKey(stored);
  const ofSchedule = turnPolicyOf(name) !== undefined;
  const of = {
    workflow: execution.workflow,
    ...(ofSchedule ? { schedule: key } : given('key', key === '' ? undefined : key)),
  };
  const { holders = [], concurrency = 0, waiting = 0, nextAt } = state ?? {};
  if (nextAt !== undefined && holders.length < concurrency) {
    return { kind: 'turnRate', ...of, until: nextAt };
  }
  const inUse = holders.length;
  return {
    kind: 'turn',
    ...of,
    concurrency,
    holders: holders.slice(0, MAX_HOLDERS),
    inUse,
    waiting,
  };
}

function timeReason(row: TaskRow, task: CompiledTask, until: Date): ExplainReason {
  if (row.deferred) return { kind: 'condition', until };
  if (row.attempt === 0) return { kind: 'startTime', until };
  const { maxAttempts } = task.retry;
  const error = given('error', parseError(row.error));
  return { kind: 'backoff', until, attempt: row.attempt, maxAttempts, ...error };
}

/** What stops a due task whose limit is full. Undefined if a claim could take it. */
function limitReason(
  { limits }: Facts,
  { executionId, itemNo, limitKey }: TaskRow,
  task: CompiledTask,
): ExplainReason | undefined {
  if (limitKey === null) return undefined;
  // An item of a map with a limit and a concurrency waits for two rows.
  const mapKey = isMapLimit(limitKey) ? limitKey : mapKeyIn(limitKey);
  const ofKey = mapKey === limitKey ? undefined : limits.get(slotKeyOf(limitKey));
  const ofMap = mapKey === undefined ? undefined : limits.get(mapKey);
  // A task of a strict key keeps its slot between its runs.
  const holds = (holder: LimitHolder): boolean =>
    itemNo === 0 && holder.executionId === executionId && holder.task === task.name;
  const isHolder = ofKey?.holders.some(holds) === true;
  return (ofKey && keyReason(ofKey, isHolder)) ?? (ofMap && slotsReason('map', ofMap));
}

function keyReason(state: LimitState, isHolder: boolean): ExplainReason | undefined {
  const { name, key, total, totalInUse: inUse = 0, totalHolders: holders = [], nextAt } = state;
  const limit = { name, ...given('key', key) };
  const ofKey = isHolder ? undefined : slotsReason('key', state, limit);
  if (ofKey !== undefined) return ofKey;
  if (total !== undefined && inUse >= total) {
    return slotsReason('total', { ...state, concurrency: total, inUse, holders }, limit);
  }
  return nextAt === undefined ? undefined : { kind: 'rate', limit, until: nextAt };
}

/** Undefined if a slot is free. */
function slotsReason(
  scope: Extract<ExplainReason, { kind: 'limit' }>['scope'],
  { inUse, concurrency, holders, waiting }: LimitState,
  limit?: LimitKeyRef,
): ExplainReason | undefined {
  if (concurrency === undefined || inUse < concurrency) return undefined;
  const shown = holders.slice(0, MAX_HOLDERS);
  return {
    kind: 'limit',
    scope,
    ...given('limit', limit),
    inUse,
    concurrency,
    holders: shown,
    waiting,
  };
}
