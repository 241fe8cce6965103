import type { StoredError } from '../errors/index.js';
import type { Tags } from '../workflow/index.js';

/** The execution that an event is about. */
export interface ExecutionFacts {
  /** Name of the tenant. */
  readonly tenant: string;
  /** The id of the execution. */
  readonly executionId: string;
  /** Name of the workflow. */
  readonly workflow: string;
}

/** The task that an event is about. */
export interface TaskFacts extends ExecutionFacts {
  /** Name of the task. */
  readonly task: string;
}

/** The attempt that an event is about. */
export interface AttemptFacts extends TaskFacts {
  /** Number of the attempt; 1 for the first. */
  readonly attempt: number;
  /** Maximum number of attempts, as the task's retry policy has it. */
  readonly maxAttempts: number;
}

/**
 * The execution is stored. For a start inside a caller's transaction: that transaction has committed. None of its tasks need
 * have begun: in `history()` this is `execution.created`, and `execution.started` is the claim of the first task there.
 */
export interface ExecutionStartedEvent extends ExecutionFacts {
  readonly type: 'execution.started';
  /** Absent for an execution without tags. */
  readonly tags?: Tags;
}

/** The end of the execution is stored. */
export interface ExecutionEndedEvent extends ExecutionFacts {
  readonly type: 'execution.ended';
  /** The final status. */
  readonly status: 'Completed' | 'Failed' | 'Cancelled';
  /**
   * The error of a Failed execution. Absent if the task failed in another process, in a branch that this process has not
   * read; `get()` always has it.
   */
  readonly error?: StoredError;
  /** The task whose failure ended the execution. Absent if the execution timed out, and where `error` is. */
  readonly failedTask?: string;
}

/** `pause()`, `resume()` or `retry()` changed the execution. */
export interface ExecutionControlledEvent extends ExecutionFacts {
  readonly type: 'execution.paused' | 'execution.resumed' | 'execution.retried';
}

/** The task's handler is about to run. */
export interface TaskStartedEvent extends AttemptFacts {
  readonly type: 'task.started';
}

/** The task's outcome is stored. Tasks that end because their execution was cancelled or timed out emit no event. */
export interface TaskEndedEvent extends AttemptFacts {
  readonly type: 'task.ended';
  /** The final status. */
  readonly status: 'Completed' | 'Failed' | 'Skipped';
  /** The error of a Failed task. */
  readonly error?: StoredError;
}

/** The failed attempt is stored, and the task will be retried. */
export interface TaskRetryingEvent extends AttemptFacts {
  readonly type: 'task.retrying';
  /** The error of the failed attempt. */
  readonly error: StoredError;
  /** Time until the next attempt may begin, in milliseconds. */
  readonly retryInMs: number;
}

/** `deferUntil` deferred the task. */
export interface TaskDeferredEvent extends AttemptFacts {
  readonly type: 'task.deferred';
  /** Time until the condition is checked again, in milliseconds. */
  readonly checkInMs: number;
}

/**
 * A wait, such as `context.sleep()`, suspended the task, which has given its slot back. `task.started` follows when it
 * runs again.
 */
export interface TaskSuspendedEvent extends AttemptFacts {
  readonly type: 'task.suspended';
  /** Time until the task runs again at the latest, in milliseconds. Absent for a wait without a time limit. */
  readonly resumeInMs?: number;
}

/**
 * Recovery took the task from a lost process. `task.recovered`: it is Ready again. `task.abandoned`: it was lost too
 * often and is about to be Failed.
 */
export interface TaskRecoveredEvent extends TaskFacts {
  readonly type: 'task.recovered' | 'task.abandoned';
  /** Why the task was taken; see `RecoveryCause`. */
  readonly cause: string;
}

/** This process lost its claim of the task: it will not record the outcome of the handler that may still run. */
export interface ClaimLostEvent extends AttemptFacts {
  readonly type: 'claim.lost';
}

/**
 * An event of one tenant's executions, emitted by the process that stored the change; see `CloacinaRunner.events$`. `type` tells
 * which properties it has.
 */
export type WorkflowEvent =
  | ExecutionStartedEvent
  | ExecutionEndedEvent
  | ExecutionControlledEvent
  | TaskStartedEvent
  | TaskEndedEvent
  | TaskRetryingEvent
  | TaskDeferredEvent
  | TaskSuspendedEvent
  | TaskRecoveredEvent
  | ClaimLostEvent;
