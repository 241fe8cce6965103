/** An instant in the server's JSON format. */
type Timestamp = string;

/** A failed attempt, as stored in the task's row. */
export interface StoredAttempt {
  readonly attempt: number;
  readonly startedAt: Timestamp | null;
  readonly completedAt: Timestamp;
  /** The instance that ran the attempt. */
  readonly owner?: string | null;
  readonly error?: unknown;
}

/** The columns of a task that a history needs. */
export interface HistoryTaskRow {
  readonly taskNo: number;
  readonly status: string;
  readonly attempt: number;
  readonly attempts: readonly StoredAttempt[] | null;
  readonly error: unknown;
  readonly skipReason: string | null;
  /**
   * The instance that runs the task, and that instance's host and process id if it has a lease. Null if not Running.
   */
  readonly owner: string | null;
  readonly process: string | null;
  readonly startedAt: Timestamp | null;
  readonly completedAt: Timestamp | null;
}

/** A row of `cloacina_execution_event`: an event that the rows of executions and tasks don't show. */
export interface HistoryEventRow {
  readonly taskNo: number | null;
  readonly kind: string;
  readonly detail: unknown;
  readonly at: Timestamp;
}

/** A row of `cloacina_recovery_event`: a task that was taken from a lost process. */
export interface HistoryRecoveryRow {
  readonly taskNo: number;
  readonly kind: string;
  readonly cause: string;
  readonly previousOwner: string | null;
  readonly orphanedForMs: number;
  readonly at: Timestamp;
}

/** A wait of a task. */
export interface HistoryWaitRow {
  readonly taskNo: number;
  readonly name: string;
  readonly kind: 'sleep' | 'signal' | 'event' | 'child';
  readonly status: 'Open' | 'Done' | 'Failed' | 'TimedOut';
  /** The name of the signal or event. */
  readonly message: string | null;
  readonly startedAt: Timestamp;
  readonly completedAt: Timestamp | null;
}

/** A step of a task whose result is recorded. */
export interface HistoryStepRow {
  readonly taskNo: number;
  readonly name: string;
  readonly startedAt: Timestamp;
  readonly completedAt: Timestamp;
}

/** A step of a task that started a child, or was attached to one. */
export interface HistoryChildRow {
  readonly taskNo: number;
  readonly name: string;
  readonly childId: string;
  /** Whether the task waits for its end. */
  readonly awaited: boolean;
  /** `Open` while the task waits for it. */
  readonly status: string;
  /** Status and error of a child that did not complete. */
  readonly result: unknown;
  readonly startedAt: Timestamp;
  readonly completedAt: Timestamp | null;
}

/** The stored history of an execution, from one snapshot. */
export interface HistoryRow {
  readonly workflow: string;
  readonly definitionId: string;
  readonly status: string;
  /** JSON text. */
  readonly error: string | null;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
  /** JSON text. */
  readonly tags: string | null;
  readonly runAt: Date | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** Sorted by task number. */
  readonly tasks: readonly HistoryTaskRow[];
  /** Oldest first. At most {@link MAX_HISTORY_EVENTS}, the newest. */
  readonly events: readonly HistoryEventRow[];
  /** Oldest first. At most {@link MAX_HISTORY_EVENTS}, the newest. */
  readonly waits: readonly HistoryWaitRow[];
  /** Oldest first. At most {@link MAX_HISTORY_EVENTS}, the newest. */
  readonly steps: readonly HistoryStepRow[];
  /** Oldest first. */
  readonly recoveries: readonly HistoryRecoveryRow[];
  /** Oldest first. At most {@link MAX_HISTORY_CHILDREN}, the newest. */
  readonly children: readonly HistoryChildRow[];
}

/** Maximum number of children that a history contains. */
export const MAX_HISTORY_CHILDREN = 1_000;

/** Maximum number of events that a history contains. */
export const MAX_HISTORY_EVENTS = 2_000;
