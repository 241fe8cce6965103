import type { StoredError } from '../errors/index.js';
import type { ExecutionStatus, SkipReason, Tags } from '../workflow/index.js';

/** The start, as it was stored. */
export interface CreatedEntry {
  readonly type: 'execution.created';
  readonly at: Date;
  /** Not before then. Absent: at once. */
  readonly runAt?: Date;
  readonly idempotencyKey?: string;
  readonly tags?: Tags;
}

/** The first task was claimed. */
export interface StartedEntry {
  readonly type: 'execution.started';
  readonly at: Date;
}

/** `pause()` or `resume()`. */
export interface PauseEntry {
  readonly type: 'execution.paused' | 'execution.resumed';
  readonly at: Date;
  /** As it was given to `pause()`. */
  readonly reason?: string;
}

/** `retry()`. */
export interface RetriedEntry {
  readonly type: 'execution.retried';
  readonly at: Date;
  /** The tasks that it began again. */
  readonly tasks: readonly string[];
}

/** An end: the last one, or one before a `retry()`. */
export interface EndedEntry {
  readonly type: 'execution.ended';
  readonly at: Date;
  readonly status: Extract<ExecutionStatus, 'Completed' | 'Failed' | 'Cancelled'>;
  /** Of a Failed one. Of an end before a `retry()` only if it was a timeout; its attempts have the errors of its tasks. */
  readonly error?: StoredError;
  /** As it was given to `cancel()`. */
  readonly reason?: string;
}

/** One attempt of a task; `at` is its start, if that is known. */
export interface AttemptEntry {
  readonly type: 'task.attempt';
  readonly at: Date;
  readonly task: string;
  /** 1 for the first one since the start or the last `retry()`. */
  readonly attempt: number;
  /** Cancelled: its execution ended before it did. */
  readonly status: 'Running' | 'Completed' | 'Failed' | 'Cancelled';
  /** Absent while it runs. */
  readonly endedAt?: Date;
  readonly durationMs?: number;
  readonly error?: StoredError;
  /** The instance that ran it. Kept of attempts that run or failed. */
  readonly owner?: string;
  /** Host and process id of that instance, while it runs. */
  readonly process?: string;
}

/** `deferUntil` put the task off for the first time; how often it did so since is not kept. */
export interface DeferredEntry {
  readonly type: 'task.deferred';
  readonly at: Date;
  readonly task: string;
}

/** The task was taken from a lost process: it is Ready again, or was lost too often and Failed. */
export interface RecoveredEntry {
  readonly type: 'task.recovered' | 'task.abandoned';
  readonly at: Date;
  readonly task: string;
  /** As in `CloacinaRecovery.events()`. */
  readonly cause: string;
  /** The instance that was lost. */
  readonly owner?: string;
  /** How long the task had been without its process, in milliseconds, as far as is known. */
  readonly orphanedForMs: number;
}

/** The task was decided without running. */
export interface SkippedEntry {
  readonly type: 'task.skipped';
  readonly at: Date;
  readonly task: string;
  readonly skipReason?: SkipReason;
}

/** Dependencies of the task had written one key of the context differently. */
export interface ConflictEntry {
  readonly type: 'task.conflict';
  readonly at: Date;
  readonly task: string;
  readonly key: string;
  /** The tasks that wrote it. */
  readonly tasks: readonly string[];
  /** The one whose value the task got. */
  readonly winner: string;
}

/** What happened to an execution, as the tables tell it; see {@link CloacinaRunner.history}. */
export type HistoryEntry =
  | CreatedEntry
  | StartedEntry
  | PauseEntry
  | RetriedEntry
  | EndedEntry
  | AttemptEntry
  | DeferredEntry
  | RecoveredEntry
  | SkippedEntry
  | ConflictEntry;
