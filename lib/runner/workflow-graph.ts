import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import type { TaskKind, TaskNode, TriggerRule } from '../workflow/index.js';

/** A workflow of the running code, as {@link CloacinaRunner.workflows} returns it. Plain JSON. */
export interface WorkflowGraph {
  /** The name of the workflow. */
  name: string;
  /** The `version` of the workflow. Absent without one. */
  version?: string;
  /** The `description` of the workflow. Absent without one. */
  description?: string;
  /** The timeout of an execution, in milliseconds. Absent: no timeout. */
  timeoutMs?: number;
  /** The names of the events that start an execution. Absent: none. */
  startsOn?: string[];
  /** The tasks; dependencies come before their dependents. */
  tasks: WorkflowGraphTask[];
}

/** A task of a {@link WorkflowGraph}. */
export interface WorkflowGraphTask {
  /** The name of the task, unique in the workflow. */
  name: string;
  /** `task` has a handler. The others are nodes: `wait`, `sleep` and `child`. */
  kind: TaskKind;
  /** What a node does. Absent for a task with a handler. */
  node?: TaskNode;
  /** The names of its dependencies, in declaration order. */
  dependsOn: string[];
  /** The trigger rule. Absent: the task runs if every dependency is Completed. */
  when?: TriggerRule;
  /** The number of attempts, including the first. */
  maxAttempts: number;
  /** The timeout of one attempt, in milliseconds. */
  timeoutMs: number;
  /** Whether the task runs in a transaction that commits with its outcome. */
  transactional: boolean;
  /** Tasks with a higher priority run first. */
  priority: number;
}

/** Returns a copy, so that a caller who changes it does not change the workflow. */
export function viewWorkflow({ definition }: RegisteredWorkflow): WorkflowGraph {
  const { name, version, description, timeoutMs, startsOn, tasks } = definition;
  return {
    name,
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(startsOn === undefined ? {} : { startsOn: [...startsOn] }),
    tasks: tasks.map((task) => ({
      name: task.name,
      kind: task.node?.kind ?? 'task',
      ...(task.node === undefined ? {} : { node: structuredClone(task.node) }),
      dependsOn: task.dependsOn.map((no) => tasks[no]?.name ?? String(no)),
      ...(task.rule === null ? {} : { when: structuredClone(task.rule) }),
      maxAttempts: task.retry.maxAttempts,
      timeoutMs: task.timeoutMs,
      transactional: task.transactional,
      priority: task.priority,
    })),
  };
}
