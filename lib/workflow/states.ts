/** What an execution can be. The last three are its ends. */
export type ExecutionStatus =
  'Pending' | 'Running' | 'Paused' | 'Completed' | 'Failed' | 'Cancelled';
/** What a task of an execution can be. The last four are terminal. */
export type TaskStatus =
  'NotStarted' | 'Ready' | 'Running' | 'Completed' | 'Failed' | 'Skipped' | 'Cancelled';
/** Why a task was skipped: its rule did not hold, or something upstream of it failed. */
export type SkipReason = 'rule' | 'upstreamFailure';

type Transitions<S extends string> = Readonly<Record<S, readonly S[]>>;

/**
 * Every legal change of a task.
 *
 * - `NotStarted`/`Ready` to `Skipped`: a decision that needs no claim. To `Running`: a claim; a task is claimed in the
 *   statement that makes it ready when there is room, so `Ready` may be passed over.
 * - `Running` to `Ready`: a retry, a deferral, a recovery, or a claim that is given back.
 * - From a terminal state to `NotStarted`/`Ready`: a manual retry, which resets descendants too, whatever they were.
 */
export const TASK_TRANSITIONS: Transitions<TaskStatus> = {
  NotStarted: ['Ready', 'Running', 'Skipped', 'Cancelled'],
  Ready: ['Running', 'Skipped', 'Cancelled'],
  Running: ['Ready', 'Completed', 'Failed', 'Skipped', 'Cancelled'],
  Completed: ['NotStarted', 'Ready'],
  Failed: ['NotStarted', 'Ready'],
  Skipped: ['NotStarted', 'Ready'],
  Cancelled: ['NotStarted', 'Ready'],
};

/**
 * Every legal change of an execution.
 *
 * - `Paused` to an end: what ran when the pause came may finish, and be the last. To `Pending`: a resume before anything began.
 * - `Paused` to `Failed` also by the workflow's timeout, which goes on counting through a pause.
 * - From an end to `Pending`/`Running`: a manual retry. A Completed execution can have handled failures to retry.
 */
export const EXECUTION_TRANSITIONS: Transitions<ExecutionStatus> = {
  Pending: ['Running', 'Paused', 'Cancelled'],
  Running: ['Paused', 'Completed', 'Failed', 'Cancelled'],
  Paused: ['Pending', 'Running', 'Completed', 'Failed', 'Cancelled'],
  Completed: ['Pending', 'Running'],
  Failed: ['Pending', 'Running'],
  Cancelled: ['Pending', 'Running'],
};

/** Whether a task may change from `from` to `to`. Staying the same is no change. */
export function canTaskTransition(from: TaskStatus, to: TaskStatus): boolean {
  return TASK_TRANSITIONS[from].includes(to);
}

/** Whether an execution may change from `from` to `to`. Staying the same is no change. */
export function canExecutionTransition(from: ExecutionStatus, to: ExecutionStatus): boolean {
  return EXECUTION_TRANSITIONS[from].includes(to);
}

/** Whether nothing but a manual retry changes the task any more. */
export function isTaskTerminal(status: TaskStatus): boolean {
  return (
    status === 'Completed' || status === 'Failed' || status === 'Skipped' || status === 'Cancelled'
  );
}

/** Whether nothing but a manual retry changes the execution any more. */
export function isExecutionEnded(status: ExecutionStatus): boolean {
  return status === 'Completed' || status === 'Failed' || status === 'Cancelled';
}
