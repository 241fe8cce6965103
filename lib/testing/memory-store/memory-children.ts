import {
  ADMIT_NEXT,
  CHILD_EVENT,
  END_CHILDREN,
  TELL_PARENTS,
  type ChildrenPage,
  type ClaimedTask,
  type ClaimKey,
  type StepRow,
  type TaskKey,
  type UnsettledEnd,
  type WakeClaims,
  type WokenTask,
} from '../../store/port/index.js';
import { childrenOf } from './memory-child-resets.js';
import { end } from './memory-control.js';
import {
  change,
  isOpenTask,
  type MemoryExecution,
  type MemoryStep,
  type MemoryTask,
} from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';
import { MemoryWakes } from './memory-wakes.js';

/** Maximum number of children that one page cancels. */
const PAGE = 200;

/** The end of a step that waits for an execution. */
type StepEnd = Pick<MemoryStep, 'status' | 'result' | 'error'>;

export function tellParents(
  tables: MemoryTables,
  ids: readonly string[],
  force: boolean,
  claims?: WakeClaims,
): WokenTask[] {
  const telling = new Telling(tables, claims);
  for (const id of ids) {
    const execution = tables.executions.get(id);
    if (execution?.completedAt === null || execution === undefined) continue;
    if (!force && (execution.unsettled & TELL_PARENTS) === 0) continue;
    for (const step of openChildSteps(tables)) {
      if (step.childId !== id || retryFrom(step) >= execution.generation) continue;
      telling.end(step, endOf(tables, execution));
    }
    execution.unsettled &= ~TELL_PARENTS;
  }
  return telling.woken();
}

export function tellMissing(tables: MemoryTables, limit: number): WokenTask[] {
  const telling = new Telling(tables);
  const result = JSON.stringify({ status: 'Missing' });
  for (const step of openChildSteps(tables)
    .filter(({ childId }) => !tables.executions.has(childId ?? ''))
    .slice(0, limit)) {
    telling.end(step, { status: 'Failed', result, error: null });
  }
  return telling.woken();
}

/** The executions that wait for an execution, directly or not, itself included. */
export function heldUpBy(tables: MemoryTables, id: string): string[] {
  const held = new Set([id]);
  for (const each of held) {
    const parent = tables.executions.get(each)?.parentExecutionId ?? null;
    if (parent !== null) held.add(parent);
    for (const step of openChildSteps(tables))
      if (step.childId === each) held.add(step.executionId);
  }
  return [...held];
}

/** The open steps that wait for executions. */
export function openChildSteps(tables: MemoryTables): MemoryStep[] {
  return [...tables.steps.values()]
    .flat()
    .filter(({ status, listensFor }) => status === 'Open' && listensFor?.name === CHILD_EVENT);
}

/** The generation from which a retry of the parent runs the child again; -1 for a step that takes every end. */
function retryFrom({ result }: MemoryStep): number {
  return result === null ? -1 : (JSON.parse(result) as { retryFrom: number }).retryFrom;
}

function endOf(tables: MemoryTables, execution: MemoryExecution): StepEnd {
  const { id, status, workflow, reason } = execution;
  if (status === 'Completed') return { status: 'Done', result: null, error: null };
  const failed = tables
    .tasksOf(id)
    .find((task) => task.status === 'Failed' && !task.failureHandled);
  const error = execution.error ?? (status === 'Failed' ? (failed?.error ?? null) : null);
  const stored: unknown = error === null ? null : JSON.parse(error);
  const result = JSON.stringify({ status, workflow, reason, error: stored });
  return { status: 'Failed', result, error };
}

/** Ends steps and then wakes their tasks, each once with the number of its steps. */
class Telling {
  private readonly tasks = new Map<string, { readonly key: TaskKey; count: number }>();

  constructor(
    private readonly tables: MemoryTables,
    private readonly claims?: WakeClaims,
  ) {}

  end(step: MemoryStep, how: StepEnd): void {
    change(step, { ...how, completedAt: this.tables.now() });
    const { executionId, taskNo, itemNo } = step;
    const name = `${executionId}/${taskNo}/${itemNo}`;
    const task = this.tasks.get(name) ?? { key: { executionId, taskNo, itemNo }, count: 0 };
    task.count++;
    this.tasks.set(name, task);
  }

  woken(): WokenTask[] {
    const wakes = new MemoryWakes(this.tables, this.claims);
    const woken = [...this.tasks.values()].flatMap(({ key, count }) => {
      const task = this.tables.task(key);
      if (task === undefined || !isOpenTask(task)) return [];
      task.wakes += count;
      const waits = task.status === 'Waiting';
      const isLast = waits && task.pendingDependencies <= count;
      if (waits) {
        task.pendingDependencies = Math.max(0, task.pendingDependencies - count);
        // The end of a child is progress, as a recorded step is.
        task.attempt = 0;
      }
      const isDue = isLast && wakes.add(task);
      const claim = wakes.isClaimed(task) ? { claim: this.claimOf(wakes, task) } : {};
      return [{ ...key, isDue, ...claim }];
    });
    wakes.woken();
    return woken;
  }

  private claimOf(wakes: MemoryWakes, task: MemoryTask): ClaimedTask {
    const claim = wakes.claimOf(task);
    return { ...claim, steps: claim.steps?.map((step) => this.withContext(step)) };
  }

  private withContext(step: StepRow): StepRow {
    const { status, childId } = step;
    const context = this.tables.executions.get(childId ?? '')?.context ?? null;
    return status === 'Done' && context !== null ? { ...step, childContext: context } : step;
  }
}

/** Whether the end of its parent cancels the child. */
function isToCancel({ completedAt, onParentEnd, status }: MemoryExecution): boolean {
  return completedAt === null && onParentEnd === 'cancel' && status !== 'Finishing';
}

export function endChildren(
  tables: MemoryTables,
  id: string,
  reason: string,
  after: string | null,
): ChildrenPage {
  const parent = tables.executions.get(id);
  const isOver = parent !== undefined && parent.completedAt !== null;
  const ends = isOver && parent.status !== 'Completed' && (parent.unsettled & END_CHILDREN) !== 0;
  return cancelPage(tables, ends ? childrenOf(tables, id) : [], reason, after);
}

export function endItemChildren(
  tables: MemoryTables,
  { executionId, taskNo, token }: ClaimKey,
  reason: string,
  after: string | null,
): ChildrenPage {
  const map = tables.task({ executionId, taskNo, itemNo: 0 });
  const isHeld = map?.claimToken === token;
  const ofItems = (isHeld ? childrenOf(tables, executionId) : []).filter(
    ({ parentTaskNo, parentItemNo }) =>
      parentTaskNo === taskNo &&
      parentItemNo !== null &&
      parentItemNo > 0 &&
      tables.task({ executionId, taskNo, itemNo: parentItemNo })?.status === 'Cancelled',
  );
  return cancelPage(tables, ofItems, reason, after);
}

function cancelPage(
  tables: MemoryTables,
  children: readonly MemoryExecution[],
  reason: string,
  after: string | null,
): ChildrenPage {
  const page = children
    .filter((child) => isToCancel(child) && (after === null || child.id > after))
    .slice(0, PAGE);
  const cancelled = page.map((child) => {
    const running = end(tables, child, 'Cancelled');
    child.reason = reason;
    tables.addEvent(child.id, 'cancelled', { reason });
    const { workflow, hasWaiters, unsettled } = child;
    return { id: child.id, workflow, hasWaiters, wasRunning: running.length > 0, unsettled };
  });
  return { last: page.at(-1)?.id ?? null, skipped: 0, cancelled };
}

export function childrenEnded(tables: MemoryTables, ids: readonly string[]): void {
  for (const id of ids) {
    const execution = tables.executions.get(id);
    if (execution === undefined || execution.completedAt === null) continue;
    const left = execution.status !== 'Completed' && childrenOf(tables, id).some(isToCancel);
    if (!left) execution.unsettled &= ~END_CHILDREN;
  }
}

/** Ends with something left to bring about. */
export function unsettledOf(
  { executions }: MemoryTables,
  limit: number,
  after: string | null = null,
): UnsettledEnd[] {
  return [...executions.values()]
    .filter(({ completedAt, id }) => completedAt !== null && (after === null || id > after))
    .map(({ id, unsettled }) => ({
      id,
      bits: unsettled & (TELL_PARENTS | END_CHILDREN | ADMIT_NEXT),
    }))
    .filter(({ bits }) => bits !== 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}
