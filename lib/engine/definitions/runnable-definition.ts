import type { RegisteredWorkflow, TaskHandler } from '../../discovery/registered-workflow.js';
import { definitionIdOf, type CompiledWorkflow } from '../../workflow/index.js';
import type { StartPlan } from '../../store/port/index.js';

/**
 * A stored definition together with what the running code has for it. An execution is pinned to its definition;
 * the handlers are whatever the code has under the workflow's and the task's name.
 */
export interface RunnableDefinition {
  readonly id: string;
  readonly workflow: CompiledWorkflow;
  /** By task number; undefined where the running code has no such task. */
  readonly handlers: readonly (TaskHandler | undefined)[];
  /** The roots, in the order in which a process takes them when it has not room for all: by priority. */
  readonly rootsToTake: readonly number[];
  /** Whether its tasks differ in priority. */
  readonly ranked: boolean;
  readonly plan: StartPlan;
}

export function makeRunnable(
  workflow: CompiledWorkflow,
  registered: RegisteredWorkflow | undefined,
): RunnableDefinition {
  const id = definitionIdOf(workflow.hash);
  const rootsToTake = byPriority(workflow, workflow.roots);
  return {
    id,
    workflow,
    handlers: workflow.tasks.map((task) => registered?.handlers.get(task.name)),
    rootsToTake,
    ranked: workflow.tasks.some((task) => task.priority !== workflow.tasks[0]?.priority),
    plan: startPlan(id, workflow, rootsToTake),
  };
}

/** Higher first; the order of equals stays. */
export function byPriority(workflow: CompiledWorkflow, tasks: readonly number[]): number[] {
  const priorityOf = (no: number): number => workflow.tasks[no]?.priority ?? 0;
  return [...tasks].sort((a, b) => priorityOf(b) - priorityOf(a));
}

function startPlan(
  definitionId: string,
  workflow: CompiledWorkflow,
  rootsToTake: readonly number[],
): StartPlan {
  const ordinals = new Map(rootsToTake.map((no, ordinal) => [no, ordinal]));
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
