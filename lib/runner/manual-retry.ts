import type { DefinitionCatalog } from '../engine/definition-catalog.js';
import { InvalidTransitionError } from '../errors/index.js';
import type { LockedExecution, ResetTask, TenantStore } from '../store/store.js';
import {
  isExecutionEnded,
  tasksToReset,
  type CompiledWorkflow,
  type ExecutionStatus,
  type SkipReason,
  type TaskStatus,
} from '../workflow/index.js';

/** Resets an ended execution for another run of what failed. False: there is no such execution. */
export async function resetForRetry(
  store: TenantStore,
  catalog: DefinitionCatalog,
  id: string,
): Promise<boolean> {
  const found = await store.reset(id, async (execution) => {
    const { workflow } = await catalog.find(execution.definitionId);
    const tasks = isExecutionEnded(execution.status as ExecutionStatus)
      ? planReset(workflow, execution)
      : [];
    if (tasks.length === 0) {
      throw new InvalidTransitionError(id, execution.status, 'retry', [
        'ended with a task that failed, was cancelled or was skipped because of a failure',
      ]);
    }
    const reset = new Set(tasks.map((task) => task.taskNo));
    return { tasks, leaves: workflow.leaves.filter((leaf) => reset.has(leaf)).length };
  });
  return found !== undefined;
}

/** Which tasks begin again, each with the dependencies that do too, and those that were not met and stay so. */
function planReset(workflow: CompiledWorkflow, { tasks }: LockedExecution): ResetTask[] {
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
    return {
      taskNo,
      pendingDependencies: dependsOn.length - kept.length,
      unmetDependencies: kept.filter((no) => byNo.get(no)?.status !== 'Completed').length,
    };
  });
}
