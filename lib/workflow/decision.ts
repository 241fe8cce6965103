import type { ContextView } from './context-view.js';
import type { CompiledTask, CompiledWorkflow } from './definition.js';
import { evaluateRule, isFailure, type DependencyOutcome } from './rule-evaluation.js';
import type { SkipReason, TaskStatus } from './states.js';

export type { DependencyOutcome } from './rule-evaluation.js';

/** Whether a task runs, or the reason why it is skipped. */
export type TaskDecision =
  | { readonly run: true }
  | { readonly run: false; readonly skipReason: Exclude<SkipReason, 'timeout'> };

const RUN: TaskDecision = { run: true };

/**
 * Decides whether a task runs after all its dependencies have ended. `context` is the join of their contexts. Only
 * rules with `contextValue` use it (see `readsContext`).
 *
 * A skipped task has the reason `upstreamFailure` if a failure is among the causes, otherwise `rule`:
 * - The default rule and `notFailed()`: `upstreamFailure` if a dependency Failed, was skipped for `upstreamFailure`, or
 *   was Cancelled.
 * - `taskSucceeded(x)` is false because x Failed, or could not run because of a failure: `upstreamFailure`.
 * - `taskFailed(x)` is false because x Completed, or its own rule skipped it: `rule`, because nothing failed.
 * - In groups, the members that decide the group count. `all(taskSucceeded(x), contextValue(…))` with x Failed is
 *   `upstreamFailure` for any context, because x may be the task that would have written the key.
 */
export function decideTask(
  task: CompiledTask,
  workflow: CompiledWorkflow,
  outcomeOf: (no: number) => DependencyOutcome,
  context: ContextView,
): TaskDecision {
  const outcomes = task.dependsOn.map(outcomeOf);
  if (task.rule === null) {
    if (outcomes.every((outcome) => outcome.status === 'Completed')) return RUN;
    return skip(outcomes.some(isFailure));
  }
  const verdict = evaluateRule(task.rule, {
    outcomes,
    context,
    outcomeOf: (name) => outcomeOf(numberOf(workflow, name)),
  });
  return verdict.holds ? RUN : skip(verdict.byFailure);
}

function numberOf(workflow: CompiledWorkflow, name: string): number {
  const no = workflow.taskNo(name);
  // The compiler of workflows refuses such a rule, so the task belongs to another workflow.
  if (no === undefined) throw new Error(`Workflow "${workflow.name}" has no task "${name}".`);
  return no;
}

function skip(byFailure: boolean): TaskDecision {
  return { run: false, skipReason: byFailure ? 'upstreamFailure' : 'rule' };
}

/**
 * The Failed tasks whose failure was not handled, ascending, after all tasks of the execution have ended. A failure is
 * handled if a direct dependent is Completed whose rule contains `taskFailed` of the failed task, outside of `none`.
 */
export function unhandledFailures(
  workflow: CompiledWorkflow,
  statusOf: (no: number) => TaskStatus,
): number[] {
  const handled = new Set<number>();
  for (const task of workflow.tasks) {
    if (task.handles.length === 0 || statusOf(task.no) !== 'Completed') continue;
    for (const no of task.handles) handled.add(no);
  }
  return workflow.tasks
    .map((task) => task.no)
    .filter((no) => statusOf(no) === 'Failed' && !handled.has(no));
}

/** The status with which an execution ends, after all its tasks have ended. */
export function endStatus(
  workflow: CompiledWorkflow,
  statusOf: (no: number) => TaskStatus,
): 'Completed' | 'Failed' {
  return unhandledFailures(workflow, statusOf).length === 0 ? 'Completed' : 'Failed';
}

/**
 * The tasks that a manual retry of an ended execution resets, ascending: tasks that Failed, were Cancelled, or were
 * skipped for `upstreamFailure`, and all their descendants in any status.
 */
export function tasksToReset(
  workflow: CompiledWorkflow,
  outcomeOf: (no: number) => DependencyOutcome,
): number[] {
  const reset = new Set<number>();
  // Dependencies come before their dependents, so one pass reaches all descendants.
  for (const task of workflow.tasks) {
    if (isFailure(outcomeOf(task.no)) || task.dependsOn.some((no) => reset.has(no))) {
      reset.add(task.no);
    }
  }
  return [...reset];
}
