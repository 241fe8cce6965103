import type { StoredError } from '../errors/index.js';
import type { ExecutionStatus, SkipReason, Tags } from '../workflow/index.js';

/** The execution was stored by `start()`. */
export interface CreatedEntry {
  readonly type: 'execution.created';
  readonly at: Date;
  /** The earliest time at which tasks run. Absent: at once. */
  readonly runAt?: Date;
  /** The idempotency key that the caller gave to `start()`. Absent without a key. */
  readonly idempotencyKey?: string;
  /** The tags that the caller gave to `start()`. Absent without tags. */
  readonly tags?: Tags;
}

/** The first task was claimed. The event `execution.started` of `events$` is earlier: it tells what {@link CreatedEntry} does. */
export interface StartedEntry {
  readonly type: 'execution.started';
  readonly at: Date;
}

/** `pause()` or `resume()` changed the execution. */
export interface PauseEntry {
  readonly type: 'execution.paused' | 'execution.resumed';
  readonly at: Date;
  /** The reason that the caller gave to `pause()`. */
  readonly reason?: string;
  /** The `actor` of the call. */
  readonly actor?: string;
}

/** `legalHold()` or `releaseLegalHold()` changed the execution. */
export interface LegalHoldEntry {
  readonly type: 'execution.legalHold' | 'execution.legalHoldReleased';
  readonly at: Date;
  /** The reason that the caller gave. */
  readonly reason?: string;
  /** The `actor` of the call. */
  readonly actor?: string;
}

/** `signal()` was called with an `actor`. Other signals are seen in the waits that took them. */
export interface SignalledEntry {
  readonly type: 'execution.signalled';
  readonly at: Date;
  /** The name of the signal. */
  readonly signal: string;
  /** The `actor` of the call. */
  readonly actor?: string;
}

/** `retry()` reset the execution. */
export interface RetriedEntry {
  readonly type: 'execution.retried';
  readonly at: Date;
  /** The names of the tasks that run again. */
  readonly tasks: readonly string[];
  /** The `actor` of the call. */
  readonly actor?: string;
}

/** The execution ended. There is one more entry for each end before a `retry()`. */
export interface EndedEntry {
  readonly type: 'execution.ended';
  readonly at: Date;
  /** The final status. */
  readonly status: Extract<ExecutionStatus, 'Completed' | 'Failed' | 'Cancelled'>;
  /**
   * The error of a Failed execution. An end before a `retry()` has it only after a timeout of the workflow; otherwise
   * look at the failed attempts.
   */
  readonly error?: StoredError;
  /** The reason that the caller gave to `cancel()`. */
  readonly reason?: string;
  /** The `actor` of the call to `cancel()`. */
  readonly actor?: string;
}

/** One attempt of a task. `at` is its start, or its end if the start is not known. */
export interface AttemptEntry {
  readonly type: 'task.attempt';
  readonly at: Date;
  readonly task: string;
  /** 1 for the first attempt since the start or the last `retry()`. */
  readonly attempt: number;
  /** `Waiting`: a wait suspended it. `Cancelled`: the execution ended before the attempt did. */
  readonly status: 'Running' | 'Waiting' | 'Completed' | 'Failed' | 'Cancelled';
  /** Absent while the attempt runs. */
  readonly endedAt?: Date;
  /**
   * The time from the start to the end, in milliseconds. Absent while the attempt runs, or if its start is not known.
   */
  readonly durationMs?: number;
  /** The error of a Failed attempt. */
  readonly error?: StoredError;
  /** The id of the instance that ran the attempt, if it runs or failed. `task.abandoned` has that of an abandoned one. */
  readonly owner?: string;
  /** Host and process id of that instance, while the attempt runs. */
  readonly process?: string;
}

/** `deferUntil` deferred the task for the first time. Later deferrals are not stored. */
export interface DeferredEntry {
  readonly type: 'task.deferred';
  readonly at: Date;
  readonly task: string;
}

/** A step of a task, with its recorded result. `at` is the start of its work in the run that recorded it. */
export interface StepEntry {
  readonly type: 'task.step';
  readonly at: Date;
  readonly task: string;
  /** The name in the code, with `#key` and `@version`. */
  readonly step: string;
  /** When the result was recorded. */
  readonly endedAt: Date;
  /** The time from the start to the record, in milliseconds. */
  readonly durationMs: number;
}

/** A wait of a task: `sleep()`, `waitFor()`, `waitForAny()`, or for an execution that it started. `at` is its beginning. */
export interface WaitEntry {
  readonly type: 'task.wait';
  readonly at: Date;
  readonly task: string;
  /** The name of the wait in the code. */
  readonly wait: string;
  /** What it waits for: the end of a time, a message, or the end of a child. */
  readonly kind: 'sleep' | 'signal' | 'event' | 'child';
  /** `Open`: it is not over, or its task ended before it. */
  readonly status: 'Open' | 'Done' | 'Failed' | 'TimedOut';
  /** The name of the signal or event that it waits for, or that ended it. */
  readonly message?: string;
  /** Absent while the wait is open. */
  readonly endedAt?: Date;
}

/** The task was taken over from a lost process. It is Ready again, or it was lost too often and Failed. */
export interface RecoveredEntry {
  readonly type: 'task.recovered' | 'task.abandoned';
  readonly at: Date;
  readonly task: string;
  /** Why the process counted as lost, as in `CloacinaRecovery.events()`. */
  readonly cause: string;
  /** The id of the lost instance. */
  readonly owner?: string;
  /** How long the task had no process, in milliseconds, as far as is known. */
  readonly orphanedForMs: number;
}

/** The task was skipped; `skipReason` says why. */
export interface SkippedEntry {
  readonly type: 'task.skipped';
  readonly at: Date;
  readonly task: string;
  /** Why it was skipped. Absent if that was not stored. */
  readonly skipReason?: SkipReason;
}

/** The task started a child with `execute`, `executeAll` or `start`, or was attached to an execution with its key. */
export interface ChildEntry {
  readonly type: 'task.child';
  readonly at: Date;
  readonly task: string;
  /** The name of the step, with its key after `#`. */
  readonly step: string;
  /** The id of the child. */
  readonly child: string;
  /** How the wait for the child ended. Absent while the task waits, and for a child that nothing waits for. */
  readonly status?: 'Completed' | 'Failed' | 'Cancelled' | 'Missing';
  /** When the task was told of the end. Absent like the status. */
  readonly endedAt?: Date;
}

/** Dependencies of the task had written different values to one key of the context. */
export interface ConflictEntry {
  readonly type: 'task.conflict';
  readonly at: Date;
  readonly task: string;
  /** The key of the context. */
  readonly key: string;
  /** The tasks that wrote the key. */
  readonly tasks: readonly string[];
  /** The dependency whose value the task got. */
  readonly winner: string;
}

/**
 * An entry in the timeline of an execution; see {@link CloacinaRunner.history}. `type` tells which properties it has. In every
 * entry, `at` is its time, and `task` is the name of its task.
 */
export type HistoryEntry =
  | CreatedEntry
  | StartedEntry
  | PauseEntry
  | LegalHoldEntry
  | SignalledEntry
  | RetriedEntry
  | EndedEntry
  | AttemptEntry
  | DeferredEntry
  | StepEntry
  | WaitEntry
  | RecoveredEntry
  | SkippedEntry
  | ChildEntry
  | ConflictEntry;
