import {
  END_CHILDREN,
  type CompletionResult,
  type EndedExecution,
  type LeaseWrite,
  type Outcome,
  type ReadiedTask,
  type TaskKey,
  type TaskTimes,
  byLockOrder,
} from '../../store/port/index.js';
import { appendAttempt } from './memory-attempts.js';
import { hold } from './memory-claims.js';
import { assertStorable } from './memory-failure.js';
import { writeLease } from './memory-leases.js';
import { change } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';
import { nextToken } from './memory-tokens.js';

/** An accepted outcome and its index in the batch. */
interface Done {
  readonly outcome: Outcome;
  readonly index: number;
}

/** The combined effect of several outcomes of a batch on one dependent, or on one execution. */
interface Delta extends TaskKey {
  index: number;
  ended: number;
  unmet: number;
  claim: boolean;
  finalContext: string | null;
}

/**
 * Records outcomes with all their consequences: handled failures of earlier tasks, the dependents' counters and claims, the
 * executions' counters and ends, the events. The claim token is the only condition.
 */
export function complete(
  tables: MemoryTables,
  outcomes: readonly Outcome[],
  lease: LeaseWrite,
  timed: boolean,
): CompletionResult {
  assertStorable(
    outcomes.flatMap(({ output, detail, finalContext }) => [
      output,
      detail === null ? null : JSON.stringify(detail),
      finalContext,
    ]),
  );
  const accepted = outcomes.map((outcome) => record(tables, outcome));
  const done = outcomes
    .map((outcome, index) => ({ outcome, index }))
    .filter(({ index }) => accepted[index] === true);
  const handled = done.flatMap((one) => handleFailures(tables, one));
  const readied = countDependents(tables, done, lease);
  const ended = countExecutions(tables, done, handled);
  writeLease(tables, lease);
  if (!timed) return { accepted, readied, ended };
  return {
    accepted,
    readied,
    ended: ended.map((end) => withRow(tables, end, outcomes)),
    times: outcomes.map((outcome, i) =>
      accepted[i] === true ? timesOf(tables, outcome) : undefined,
    ),
  };
}

function timesOf(tables: MemoryTables, outcome: Outcome): TaskTimes | undefined {
  const { startedAt = null, completedAt = null } = tables.task(outcome) ?? {};
  return startedAt === null || completedAt === null ? undefined : { startedAt, completedAt };
}

function withRow(
  tables: MemoryTables,
  end: EndedExecution,
  outcomes: readonly Outcome[],
): EndedExecution {
  const execution = tables.executions.get(outcomes[end.outcome]?.executionId ?? '');
  if (execution === undefined) return end;
  const { createdAt, startedAt, completedAt, reason } = execution;
  if (startedAt === null || completedAt === null) return end;
  return { ...end, row: { createdAt, startedAt, completedAt, hasReason: reason !== null } };
}

function record(tables: MemoryTables, outcome: Outcome): boolean {
  const { status, detail } = outcome;
  const task = tables.task(outcome);
  if (task?.claimToken !== outcome.token) return false;
  const now = tables.now();
  if (status === 'Failed') appendAttempt(task, detail?.error, now);
  change(task, {
    status,
    claimToken: task.claimToken + 1,
    owner: null,
    paused: false,
    output: outcome.output,
    completedAt: now,
    deferredSince: null,
    skipReason: detail?.skipReason ?? null,
    deletedKeys: detail?.deletedKeys ?? null,
    error: detail?.error === undefined ? null : JSON.stringify(detail.error),
  });
  for (const event of detail?.events ?? []) {
    tables.addTaskEvent(task, event.kind, event.detail);
  }
  return true;
}

/** Marks failures as handled. Returns the outcome once for each; a failure that several tasks handle counts once. */
function handleFailures(tables: MemoryTables, done: Done): Done[] {
  const { executionId, status, handles } = done.outcome;
  if (status !== 'Completed') return [];
  const handled: Done[] = [];
  for (const taskNo of handles) {
    const task = tables.task({ executionId, taskNo, itemNo: 0 });
    if (task?.status !== 'Failed' || task.failureHandled) continue;
    task.failureHandled = true;
    handled.push(done);
  }
  return handled;
}

/** Applies all outcomes of a batch to a dependent together, so that it becomes ready once. */
function countDependents(
  tables: MemoryTables,
  done: readonly Done[],
  { claimant }: LeaseWrite,
): ReadiedTask[] {
  const deltas = new Deltas();
  for (const { outcome, index } of done) {
    for (const { taskNo, claim } of outcome.dependents) {
      const delta = deltas.of(outcome.executionId, taskNo, index);
      delta.ended++;
      if (outcome.status !== 'Completed') delta.unmet++;
      delta.claim ||= claim;
    }
  }
  return deltas.sorted().flatMap((delta) => {
    const { taskNo, index, ended, unmet, claim } = delta;
    const task = tables.task(delta);
    if (task === undefined) return [];
    task.pendingDependencies -= ended;
    task.unmetDependencies += unmet;
    if (task.pendingDependencies !== 0) return [];
    const now = tables.now();
    const claimed = claim && !task.paused;
    if (claimed) hold(task, claimant.instanceId, nextToken(task.claimToken, tables.clock), now);
    else change(task, { status: 'Ready', owner: null, runAt: now });
    const { paused, claimToken: token, unmetDependencies, generation, wakes, hasSteps } = task;
    const claimable = { unmetDependencies, generation, wakes, hasSteps };
    return [{ outcome: index, taskNo, claimed, paused, token, ...claimable }];
  });
}

function countExecutions(
  tables: MemoryTables,
  done: readonly Done[],
  handled: readonly Done[],
): EndedExecution[] {
  const deltas = new Deltas();
  for (const { outcome, index } of done) {
    const hasFailed = outcome.status === 'Failed' && outcome.itemNo === 0;
    if (!outcome.leaf && !hasFailed) continue;
    const delta = deltas.of(outcome.executionId, 0, index);
    if (outcome.leaf) delta.ended++;
    if (hasFailed) delta.unmet++;
    delta.finalContext = outcome.finalContext ?? delta.finalContext;
  }
  for (const { outcome, index } of handled) deltas.of(outcome.executionId, 0, index).unmet--;
  return deltas.sorted().flatMap((delta) => {
    const execution = tables.executions.get(delta.executionId);
    if (execution === undefined) return [];
    execution.remainingLeaves -= delta.ended;
    execution.unhandledFailures += delta.unmet;
    if (execution.remainingLeaves > 0) return [];
    const status = execution.unhandledFailures > 0 ? 'Failed' : 'Completed';
    // The children of a Completed execution continue, so its end has nothing to do for them.
    if (status === 'Completed') execution.unsettled &= ~END_CHILDREN;
    const { hasWaiters, unsettled } = execution;
    const context = delta.finalContext;
    change(execution, { status, context, completedAt: tables.now(), deadlineAt: null });
    if (status === 'Failed') tables.addEvent(execution.id, 'failed');
    const contextMissing = context === null;
    return [{ outcome: delta.index, status, hasWaiters, unsettled, contextMissing }];
  });
}

class Deltas {
  private readonly byRow = new Map<string, Delta>();

  /** The delta of a row. For an execution, `taskNo` is 0. */
  of(executionId: string, taskNo: number, index: number): Delta {
    const key = `${executionId}/${taskNo}`;
    const delta = this.byRow.get(key) ?? {
      index,
      executionId,
      taskNo,
      // An edge leads to a task, never to an item.
      itemNo: 0,
      ended: 0,
      unmet: 0,
      claim: false,
      finalContext: null,
    };
    delta.index = Math.max(delta.index, index);
    this.byRow.set(key, delta);
    return delta;
  }

  sorted(): Delta[] {
    return [...this.byRow.values()].sort(byLockOrder);
  }
}
