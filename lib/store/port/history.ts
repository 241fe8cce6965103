/** An instant as the server prints it in JSON. */
type Timestamp = string;

/** A failed attempt as the task's row keeps it. */
export interface StoredAttempt {
  readonly attempt: number;
  readonly startedAt: Timestamp | null;
  readonly completedAt: Timestamp;
  /** The instance that held the task. */
  readonly owner?: string | null;
  readonly error?: unknown;
}

/** A task, as far as a history needs it. */
export interface HistoryTaskRow {
  readonly taskNo: number;
  readonly status: string;
  readonly attempt: number;
  readonly attempts: readonly StoredAttempt[] | null;
  readonly error: unknown;
  readonly skipReason: string | null;
  /** While it runs: the instance that holds it, and the host and process of that instance if its lease is known. */
  readonly owner: string | null;
  readonly process: string | null;
  readonly startedAt: Timestamp | null;
  readonly completedAt: Timestamp | null;
}

/** What the rows don't tell: one of `cloacina_execution_event`. */
export interface HistoryEventRow {
  readonly taskNo: number | null;
  readonly kind: string;
  readonly detail: unknown;
  readonly at: Timestamp;
}

export interface HistoryRecoveryRow {
  readonly taskNo: number;
  readonly kind: string;
  readonly cause: string;
  readonly previousOwner: string | null;
  readonly orphanedForMs: number;
  readonly at: Timestamp;
}

/** All that is stored of an execution's past, at one moment. */
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
  /** By task number. */
  readonly tasks: readonly HistoryTaskRow[];
  /** Oldest first; of more than the bound the newest. */
  readonly events: readonly HistoryEventRow[];
  /** Oldest first. */
  readonly recoveries: readonly HistoryRecoveryRow[];
}

/** Events of one execution that a history reads. */
export const MAX_HISTORY_EVENTS = 2_000;
