/** A start that an event is to make. */
export interface MemoryEventStart {
  readonly signalId: number;
  readonly workflow: string;
  readonly event: string;
  attempts: number;
  /** JSON text. */
  error: string | null;
  dueAt: number;
}

/** A row of the signals and events, as the columns of PostgreSQL with the same names. */
export interface MemorySignal {
  readonly id: number;
  /** Null for an event. */
  readonly executionId: string | null;
  readonly name: string;
  readonly key: string | null;
  /** JSON text. */
  readonly payload: string;
  readonly idempotencyKey: string | null;
  expiresAt: number | null;
  delivered: boolean;
  consumed: boolean;
  /** Infinity until the delivery of a message that was sent in a caller's transaction. */
  createdAt: number;
  /** Between two parts of a delivery: the keys of the tasks that were woken. */
  woken: ReadonlySet<string>;
}
