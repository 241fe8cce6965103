import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import { InvalidTransitionError } from '../errors/index.js';
import {
  isExecutionEnded,
  tasksToReset,
  type CompiledWorkflow,
  type ExecutionStatus,
  type SkipReason,
  type TaskStatus,
} from '../workflow/index.js';
import type { ControlStore, LockedExecution, ResetTask } from '../store/port/index.js';

/**
 * Resets an ended execution, so that its failed tasks run again. It can be sent again after a lost reply: each reset
 * adds 1 to the execution's generation, which tells whether the first send was written.
 */
export class ManualRetry {
  /** The execution's generation before the first send that reached the server. */
  private generation: number | undefined;
  private name = '';

  constructor(
    private readonly store: ControlStore,
    private readonly catalog: DefinitionCatalog,
    private readonly id: string,
    private readonly steps: 'keep' | 'discard',
  ) {}

  /** The workflow's name, after {@link run}. */
  get workflow(): string {
    return this.name;
  }

  /** Returns in how many milliseconds the execution is due, or undefined if no execution has the id. */
  run(resent: boolean): Promise<number | undefined> {
    return this.store.reset(this.id, async (execution) => {
      this.generation ??= execution.generation;
      if (resent && execution.generation !== this.generation) return null;
      const { workflow } = await this.catalog.find(execution.definitionId);
      this.name = workflow.name;
      const tasks = isExecutionEnded(execution.status as ExecutionStatus)
        ? planReset(workflow, execution, this.steps)
        : [];
      if (tasks.length === 0) {
        throw new InvalidTransitionError(
          this.id,
          execution.status,
          'retry',
          'Only ended executions with a failed, cancelled or failure-skipped task can be retried.',
        );
      }
      const reset = new Set(tasks.map((task) => task.taskNo));
      return { tasks, leaves: workflow.leaves.filter((leaf) => reset.has(leaf)).length };
    });
  }
}

/** The tasks to reset, each with its number of dependencies that are reset, and of kept ones that did not complete. */
function planReset(
  workflow: CompiledWorkflow,
  { tasks }: LockedExecution,
  steps: 'keep' | 'discard',
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
    return {
      taskNo,
      pendingDependencies: dependsOn.length - kept.length,
      unmetDependencies: kept.filter((no) => byNo.get(no)?.status !== 'Completed').length,
      keepsSteps: steps === 'keep' && kept.length === dependsOn.length,
    };
  });
}
