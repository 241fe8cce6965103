import type { ExecutionEndedEvent, TaskEndedEvent, WorkflowEvent } from './workflow-event.js';

/**
 * A name that `@OnWorkflowEvent` accepts: the `type` of an event, or the end of an execution or task by its status. For
 * example, `execution.failed` stands for `execution.ended` with the status `Failed`.
 */
export type WorkflowEventName =
  | WorkflowEvent['type']
  | `execution.${Lowercase<ExecutionEndedEvent['status']>}`
  | `task.${Lowercase<TaskEndedEvent['status']>}`;

/** The type of the events with this name. */
export type WorkflowEventOf<N extends WorkflowEventName> = N extends WorkflowEvent['type']
  ? Extract<WorkflowEvent, { type: N }>
  : N extends `${infer Subject}.${string}`
    ? Extract<WorkflowEvent, { type: `${Subject}.ended` }>
    : never;

/** All names, as a record, so that the compiler reports a name that is left out. */
const NAMES: Record<WorkflowEventName, true> = {
  'execution.started': true,
  'execution.ended': true,
  'execution.completed': true,
  'execution.failed': true,
  'execution.cancelled': true,
  'execution.paused': true,
  'execution.resumed': true,
  'execution.retried': true,
  'task.started': true,
  'task.ended': true,
  'task.completed': true,
  'task.failed': true,
  'task.skipped': true,
  'task.retrying': true,
  'task.deferred': true,
  'task.suspended': true,
  'task.recovered': true,
  'task.abandoned': true,
  'claim.lost': true,
};

export const EVENT_NAMES: readonly string[] = Object.keys(NAMES);

export const EXECUTION_ENDS = {
  Completed: 'execution.completed',
  Failed: 'execution.failed',
  Cancelled: 'execution.cancelled',
} as const satisfies Record<ExecutionEndedEvent['status'], WorkflowEventName>;

export const TASK_ENDS = {
  Completed: 'task.completed',
  Failed: 'task.failed',
  Skipped: 'task.skipped',
} as const satisfies Record<TaskEndedEvent['status'], WorkflowEventName>;

/** The most exact name of an event: its type, or, for the end of an execution or task, the name with the status. */
export function exactNameOf(event: WorkflowEvent): WorkflowEventName {
  if (event.type === 'execution.ended') return EXECUTION_ENDS[event.status];
  return event.type === 'task.ended' ? TASK_ENDS[event.status] : event.type;
}

/** The exact names that a name stands for. `task.ended`, for example, stands for one name for each status. */
export function exactNamesOf(name: WorkflowEventName): readonly WorkflowEventName[] {
  if (name === 'execution.ended') return Object.values(EXECUTION_ENDS);
  return name === 'task.ended' ? Object.values(TASK_ENDS) : [name];
}
