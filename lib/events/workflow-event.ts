import type { StoredError } from '../errors/index.js';
import type { Tags } from '../workflow/index.js';

export interface ExecutionFacts {
  readonly tenant: string;
  readonly executionId: string;
  readonly workflow: string;
}

export interface TaskFacts extends ExecutionFacts {
  readonly task: string;
}

/** About an attempt of a task. */
export interface AttemptFacts extends TaskFacts {
  /** 1 for the first one. */
  readonly attempt: number;
  /** How many there may be in all. */
  readonly maxAttempts: number;
}

/** The execution is stored. For a start inside a caller's transaction: that transaction has committed. */
export interface ExecutionStartedEvent extends ExecutionFacts {
  readonly type: 'execution.started';
  /** Absent for an execution without tags. */
  readonly tags?: Tags;
}

export interface ExecutionEndedEvent extends ExecutionFacts {
  readonly type: 'execution.ended';
  readonly status: 'Completed' | 'Failed' | 'Cancelled';
  /** Of a Failed one that this event's process knows the error of; `get()` always has it. */
  readonly error?: StoredError;
  /** The task whose failure ended it; none for an execution that timed out. */
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

/** The task's outcome is stored. Tasks of a cancelled or timed-out execution have no event of their own. */
export interface TaskEndedEvent extends AttemptFacts {
  readonly type: 'task.ended';
  readonly status: 'Completed' | 'Failed' | 'Skipped';
  /** Of a Failed task. */
  readonly error?: StoredError;
}

/** The failed attempt is stored, and another one follows. */
export interface TaskRetryingEvent extends AttemptFacts {
  readonly type: 'task.retrying';
  readonly error: StoredError;
  /** Until the next attempt may begin, in milliseconds. */
  readonly retryInMs: number;
}

/** `deferUntil` put the task off. */
export interface TaskDeferredEvent extends AttemptFacts {
  readonly type: 'task.deferred';
  /** Until the condition is checked again, in milliseconds. */
  readonly checkInMs: number;
}

/** The task was taken from a lost process: it is Ready again, or was lost too often and is about to be Failed. */
export interface TaskRecoveredEvent extends TaskFacts {
  readonly type: 'task.recovered' | 'task.abandoned';
  /** As in `CloacinaRecovery.events()`. */
  readonly cause: string;
}

/** This process no longer holds the task: what its handler still does is not recorded. */
export interface ClaimLostEvent extends AttemptFacts {
  readonly type: 'claim.lost';
}

/** What happens to one tenant's executions, told by the process that stored it; see `CloacinaRunner.events$`. */
export type WorkflowEvent =
  | ExecutionStartedEvent
  | ExecutionEndedEvent
  | ExecutionControlledEvent
  | TaskStartedEvent
  | TaskEndedEvent
  | TaskRetryingEvent
  | TaskDeferredEvent
  | TaskRecoveredEvent
  | ClaimLostEvent;
