import type { ContextView } from './context-view.js';
import type { CompiledTask, CompiledWorkflow } from './definition.js';
import { evaluateRule, isFailure, type DependencyOutcome } from './rule-evaluation.js';
import type { SkipReason, TaskStatus } from './states.js';

export type { DependencyOutcome } from './rule-evaluation.js';

/** Whether a task runs, or why it is skipped. */
export type TaskDecision =
  { readonly run: true } | { readonly run: false; readonly skipReason: SkipReason };

const RUN: TaskDecision = { run: true };

/**
 * Decides a task whose dependencies are all terminal. `context` is the join of what they pass on; only rules with a
 * `contextValue` look at it (see `readsContext`).
 *
 * A task that is not run is skipped for `upstreamFailure` when a failure is among the reasons, and for `rule` when it
 * would have been skipped without:
 * - the default rule and `notFailed()`: a dependency Failed, was skipped for `upstreamFailure`, or was Cancelled;
 * - `taskSucceeded(x)` does not hold because x Failed or was kept from running by a failure: `upstreamFailure`;
 * - `taskFailed(x)` does not hold because x Completed or its own rule skipped it: `rule`, nothing went wrong;
 * - in groups, the members that settle it count: `all(taskSucceeded(x), contextValue(…))` with x Failed is
 *   `upstreamFailure` whatever the context says, since x may have been the one to write it.
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
  // Compiling refuses such a rule, so this is a task of another workflow.
  if (no === undefined) throw new Error(`Workflow "${workflow.name}" has no task "${name}".`);
  return no;
}

function skip(byFailure: boolean): TaskDecision {
  return { run: false, skipReason: byFailure ? 'upstreamFailure' : 'rule' };
}

/**
 * The Failed tasks of an execution whose tasks are all terminal that no direct dependent handled, ascending. One is
 * handled when a dependent whose rule says `taskFailed` of it, not under `none`, Completed.
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

/** How an execution ends whose tasks are all terminal. */
export function endStatus(
  workflow: CompiledWorkflow,
  statusOf: (no: number) => TaskStatus,
): 'Completed' | 'Failed' {
  return unhandledFailures(workflow, statusOf).length === 0 ? 'Completed' : 'Failed';
}

/**
 * What a manual retry of an ended execution resets, ascending: tasks that Failed, were Cancelled or were skipped for
 * `upstreamFailure`, and all their descendants, however those ended.
 */
export function tasksToReset(
  workflow: CompiledWorkflow,
  outcomeOf: (no: number) => DependencyOutcome,
): number[] {
  const reset = new Set<number>();
  // Dependencies come first in tasks, so one pass reaches all descendants.
  for (const task of workflow.tasks) {
    if (isFailure(outcomeOf(task.no)) || task.dependsOn.some((no) => reset.has(no))) {
      reset.add(task.no);
    }
  }
  return [...reset];
}
