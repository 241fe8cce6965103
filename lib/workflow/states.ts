/** The status of an execution. It has ended in the last three. */
export type ExecutionStatus =
  'Pending' | 'Running' | 'Paused' | 'Finishing' | 'Completed' | 'Failed' | 'Cancelled';
/** The status of a task of an execution. It has ended in the last four. */
export type TaskStatus =
  'NotStarted' | 'Ready' | 'Running' | 'Waiting' | 'Completed' | 'Failed' | 'Skipped' | 'Cancelled';
/**
 * Why a task was skipped: its trigger rule was false (`rule`), an upstream task failed (`upstreamFailure`), or the wait
 * timed out of a node with `onTimeout: 'skip'` (`timeout`).
 */
export type SkipReason = 'rule' | 'upstreamFailure' | 'timeout';

type Transitions<S extends string> = Readonly<Record<S, readonly S[]>>;

/**
 * The allowed transitions of a task.
 *
 * - `NotStarted`/`Ready` to `Skipped`: a decision without a claim.
 * - `NotStarted`/`Ready` to `Running`: a claim. If a process has a free slot, the statement that makes a task ready
 *   also claims it, so `Ready` is skipped.
 * - `Running` to `Waiting`: the task sleeps, or waits for something outside of it, and has given its claim up. A claim
 *   ends the wait, because a wake-up only makes the task due. A task that waits for its items becomes `Ready`.
 * - `Running` to `Ready`: a retry, a deferral, a recovery, or a claim that is given back.
 * - A terminal status to `NotStarted`/`Ready`: a manual retry, which also resets the descendants of a task.
 */
export const TASK_TRANSITIONS: Transitions<TaskStatus> = {
  NotStarted: ['Ready', 'Running', 'Skipped', 'Cancelled'],
  Ready: ['Running', 'Skipped', 'Cancelled'],
  Running: ['Ready', 'Waiting', 'Completed', 'Failed', 'Skipped', 'Cancelled'],
  Waiting: ['Ready', 'Running', 'Cancelled'],
  Completed: ['NotStarted', 'Ready'],
  Failed: ['NotStarted', 'Ready'],
  Skipped: ['NotStarted', 'Ready'],
  Cancelled: ['NotStarted', 'Ready'],
};

/**
 * The allowed transitions of an execution.
 *
 * - `Paused` to an end: a task that ran at the pause was the last one. To `Failed` also by the timeout of the workflow,
 *   which keeps counting during a pause.
 * - `Paused` to `Pending`: a resume before the first task began.
 * - To `Finishing`: the outcome is decided, and the handlers that follow it run.
 * - An end to `Pending`/`Running`: a manual retry. A Completed execution can have handled failures to retry.
 */
export const EXECUTION_TRANSITIONS: Transitions<ExecutionStatus> = {
  Pending: ['Running', 'Paused', 'Cancelled'],
  Running: ['Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
  Paused: ['Pending', 'Running', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
  Finishing: ['Paused', 'Completed', 'Failed', 'Cancelled'],
  Completed: ['Pending', 'Running'],
  Failed: ['Pending', 'Running'],
  Cancelled: ['Pending', 'Running'],
};

/** Whether a task may change its status from `from` to another status `to`. */
export function canTaskTransition(from: TaskStatus, to: TaskStatus): boolean {
  return TASK_TRANSITIONS[from].includes(to);
}

/** Whether an execution may change its status from `from` to another status `to`. */
export function canExecutionTransition(from: ExecutionStatus, to: ExecutionStatus): boolean {
  return EXECUTION_TRANSITIONS[from].includes(to);
}

/** Whether the task has ended. Only a manual retry changes it then. */
export function isTaskTerminal(status: TaskStatus): boolean {
  return (
    status === 'Completed' || status === 'Failed' || status === 'Skipped' || status === 'Cancelled'
  );
}

/** Whether the execution has ended. Only a manual retry changes it then. */
export function isExecutionEnded(status: ExecutionStatus): boolean {
  return status === 'Completed' || status === 'Failed' || status === 'Cancelled';
}
