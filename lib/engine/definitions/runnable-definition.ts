import type { RegisteredWorkflow, TaskHandler } from '../../discovery/registered-workflow.js';
import {
  definitionIdOf,
  mapLimitsOf,
  type CompiledTask,
  type CompiledWorkflow,
  type LimitTable,
} from '../../workflow/index.js';
import { handlerOf } from '../nodes/node-handler.js';
import type { PausedWorkflows } from './paused-workflows.js';
import type { StartPlan } from '../../store/port/index.js';

/**
 * A stored definition together with the handlers of the running code. An execution is pinned to its definition. The
 * handlers are found in the code by the names of the workflow and the task.
 */
export interface RunnableDefinition {
  readonly id: string;
  readonly workflow: CompiledWorkflow;
  /** By task number; built in for nodes, undefined where the running code has no such task. */
  readonly handlers: readonly (TaskHandler | undefined)[];
  /**
   * By task number: whether a start or an outcome may claim the task. This process has its handler, and it has no limit: a
   * claim of a task with a limit counts the slots of its key, in a statement of its own.
   */
  readonly claimable: readonly boolean[];
  /**
   * The root tasks without a limit by priority: the order in which a process takes them if it has no room for all.
   */
  readonly rootsToTake: readonly number[];
  /** The tasks with a limit, and the maps whose items have one. */
  readonly limited: readonly CompiledTask[];
  /** The numbers of the limits that maps with `concurrency` have for themselves, by name. */
  readonly mapLimits: LimitTable;
  /** The names of the limits of maps that have a concurrency beside them. Their items have keys of their own. */
  readonly joinedLimits: readonly string[];
  /** Whether the tasks have different priorities. */
  readonly ranked: boolean;
  /** Whether the workflow is paused: no task of it is claimed. */
  readonly isPaused: () => boolean;
  /** The `priorityAging` of the running code, in milliseconds. */
  readonly priorityAgingMs: number | undefined;
  readonly plan: StartPlan;
}

export function makeRunnable(
  workflow: CompiledWorkflow,
  registered: RegisteredWorkflow | undefined,
  paused: Pick<PausedWorkflows, 'has'> = NO_PAUSES,
): RunnableDefinition {
  const id = definitionIdOf(workflow.hash);
  // Of a map the items count for its limit, and not the task itself.
  const isLimited = (no: number): boolean => {
    const { limit, node } = workflow.tasks[no] ?? {};
    return limit !== undefined && node?.kind !== 'map';
  };
  const rootsToTake = byPriority(
    workflow,
    workflow.roots.filter((no) => !isLimited(no)),
  );
  const handlers = workflow.tasks.map((task) => handlerOf(task, registered));
  return {
    id,
    workflow,
    handlers,
    claimable: handlers.map((handler, no) => handler !== undefined && !isLimited(no)),
    rootsToTake,
    limited: workflow.tasks.filter(({ limit }) => limit !== undefined),
    mapLimits: mapLimitsOf(id, workflow),
    joinedLimits: workflow.tasks.flatMap(({ limit, node }) =>
      limit !== undefined && node?.kind === 'map' && node.concurrency !== undefined
        ? [limit.name]
        : [],
    ),
    ranked: workflow.tasks.some((task) => task.priority !== workflow.tasks[0]?.priority),
    isPaused: () => paused.has(workflow.name),
    priorityAgingMs: registered?.queue?.priorityAgingMs,
    plan: startPlan(id, workflow, rootsToTake),
  };
}

const NO_PAUSES = { has: () => false };

/** Sorts tasks by priority, higher first. Tasks of the same priority keep their order. */
export function byPriority(workflow: CompiledWorkflow, tasks: readonly number[]): number[] {
  const priorityOf = (no: number): number => workflow.tasks[no]?.priority ?? 0;
  return [...tasks].sort((a, b) => priorityOf(b) - priorityOf(a));
}

function startPlan(
  definitionId: string,
  workflow: CompiledWorkflow,
  rootsToTake: readonly number[],
): StartPlan {
  // The roots with a limit come last. A set finds them without a search for each: a workflow may have 10,000 roots.
  const order = new Set([...rootsToTake, ...workflow.roots]);
  const ordinals = new Map([...order].map((no, ordinal) => [no, ordinal]));
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

/** Whether this process has handlers for all root tasks, so that a start may claim them. */
export function canRunRoots(definition: RunnableDefinition): boolean {
  return definition.workflow.roots.every((no) => definition.handlers[no] !== undefined);
}
