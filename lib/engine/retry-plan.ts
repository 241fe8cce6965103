import type { LockedExecution, ResetDecision, ResetTask } from '../store/port/index.js';
import { END_CHILDREN } from '../store/port/index.js';
import {
  isExecutionEnded,
  tasksToReset,
  type CompiledWorkflow,
  type ExecutionStatus,
  type SkipReason,
  type TaskStatus,
} from '../workflow/index.js';

/** What a caller wants of a manual retry. */
export interface RetryWishes {
  readonly steps: 'keep' | 'discard';
  /** Which items of maps run again that keep their input. Default: those that did not complete. */
  readonly items?: 'failed' | 'all';
}

/**
 * What a manual retry resets of an execution. `nothing`: the execution has not ended, or no task can run again. `children`: the
 * children of its former run are still to be cancelled; otherwise the former end would cancel those of the new run.
 */
export function planRetry(
  workflow: CompiledWorkflow,
  execution: LockedExecution,
  wishes: RetryWishes,
): ResetDecision | 'nothing' | 'children' {
  const { status, unsettled } = execution;
  if (!isExecutionEnded(status as ExecutionStatus)) return 'nothing';
  if (status !== 'Completed' && (unsettled & END_CHILDREN) !== 0) return 'children';
  const tasks = planReset(workflow, execution, wishes);
  if (tasks.length === 0) return 'nothing';
  const reset = new Set(tasks.map((task) => task.taskNo));
  return { tasks, leaves: workflow.leaves.filter((leaf) => reset.has(leaf)).length };
}

/** The tasks to reset, each with its number of dependencies that are reset, and of kept ones that did not complete. */
function planReset(
  workflow: CompiledWorkflow,
  { tasks }: LockedExecution,
  { steps, items }: RetryWishes,
): ResetTask[] {
  const byNo = new Map(tasks.map((task) => [task.taskNo, task]));
  const reset = new Set(
    tasksToReset(workflow, (no) => ({
      status: (byNo.get(no)?.status ?? 'NotStarted') as TaskStatus,
      skipReason: (byNo.get(no)?.skipReason ?? undefined) as SkipReason | undefined,
    })),
  );
  return [...reset].map((taskNo) => {
    const dependsOn = workflow.tasks[taskNo]?.dependsOn ?? [];
    const kept = dependsOn.filter((no) => !reset.has(no));
    const hasSameInput = kept.length === dependsOn.length;
    const isMap = workflow.tasks[taskNo]?.node?.kind === 'map';
    const ofMap = hasSameInput ? (items === 'all' ? 'all' : 'unfinished') : 'discard';
    return {
      taskNo,
      pendingDependencies: dependsOn.length - kept.length,
      unmetDependencies: kept.filter((no) => byNo.get(no)?.status !== 'Completed').length,
      keepsSteps: steps === 'keep' && hasSameInput,
      ...(isMap ? { items: ofMap } : {}),
    };
  });
}
