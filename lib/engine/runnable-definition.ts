import type { RegisteredWorkflow, TaskHandler } from '../discovery/registered-workflow.js';
import type { StartPlan } from '../store/store.js';
import type { CompiledWorkflow } from '../workflow/index.js';

/**
 * A stored definition together with what the running code has for it. An execution is pinned to its definition;
 * the handlers are whatever the code has under the workflow's and the task's name.
 */
export interface RunnableDefinition {
  readonly id: number;
  readonly workflow: CompiledWorkflow;
  /** By task number; undefined where the running code has no such task. */
  readonly handlers: readonly (TaskHandler | undefined)[];
  readonly plan: StartPlan;
}

export function makeRunnable(
  id: number,
  workflow: CompiledWorkflow,
  registered: RegisteredWorkflow | undefined,
): RunnableDefinition {
  return {
    id,
    workflow,
    handlers: workflow.tasks.map((task) => registered?.handlers.get(task.name)),
    plan: startPlan(id, workflow),
  };
}

function startPlan(definitionId: number, workflow: CompiledWorkflow): StartPlan {
  const ordinals = new Map(workflow.roots.map((no, ordinal) => [no, ordinal]));
  return {
    definitionId,
    workflow: workflow.name,
    timeoutMs: workflow.timeoutMs ?? null,
    leaves: workflow.leaves.length,
    pendingDependencies: workflow.tasks.map((task) => task.dependsOn.length),
    rootOrdinals: workflow.tasks.map((task) => ordinals.get(task.no) ?? -1),
    priorities: workflow.tasks.map((task) => task.priority),
  };
}

/** Whether the process can run all roots itself, so that it may claim them in the start. */
export function canRunRoots(definition: RunnableDefinition): boolean {
  return definition.workflow.roots.every((no) => definition.handlers[no] !== undefined);
}
