import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import type { TriggerRule } from '../workflow/index.js';

/** A workflow of the running code, as {@link CloacinaRunner.workflows} shows it. Plain JSON. */
export interface WorkflowGraph {
  name: string;
  version?: string;
  description?: string;
  /** Of the whole execution, in milliseconds. Absent: none. */
  timeoutMs?: number;
  /** In an order in which dependencies come first. */
  tasks: WorkflowGraphTask[];
}

/** A task of a {@link WorkflowGraph}. */
export interface WorkflowGraphTask {
  name: string;
  /** The tasks that come before it, in the order in which it names them. */
  dependsOn: string[];
  /** Its trigger rule. Absent: it runs once every dependency has Completed. */
  when?: TriggerRule;
  /** All attempts, the first included. */
  maxAttempts: number;
  /** Of one attempt, in milliseconds. */
  timeoutMs: number;
  transactional: boolean;
  /** Higher first. */
  priority: number;
}

/** A copy: what the caller does to it changes no workflow. */
export function viewWorkflow({ definition }: RegisteredWorkflow): WorkflowGraph {
  const { name, version, description, timeoutMs, tasks } = definition;
  return {
    name,
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    tasks: tasks.map((task) => ({
      name: task.name,
      dependsOn: task.dependsOn.map((no) => tasks[no]?.name ?? String(no)),
      ...(task.rule === null ? {} : { when: structuredClone(task.rule) }),
      maxAttempts: task.retry.maxAttempts,
      timeoutMs: task.timeoutMs,
      transactional: task.transactional,
      priority: task.priority,
    })),
  };
}
