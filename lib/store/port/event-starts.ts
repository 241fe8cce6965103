/** A workflow that events of a name start. */
export interface EventSubscription {
  readonly workflow: string;
  readonly event: string;
}

/** An event that is to start an execution. */
export interface PendingEventStart {
  readonly workflow: string;
  readonly eventId: string;
  readonly event: string;
  readonly key: string;
  /** JSON text. */
  readonly payload: string;
  readonly sentAt: Date;
  /** How often it was taken, this time included. */
  readonly attempts: number;
}

/** What became of an event that was to start an execution. */
export interface EventStartResult {
  readonly workflow: string;
  readonly eventId: string;
  /** JSON text of the stored error, and when to try again. Absent: nothing is left to do. */
  readonly failure?: { readonly error: string; readonly retryInMs: number };
}

/**
 * Starts of executions by events.
 *
 * The delivery of an event stores a start for each workflow that has subscribed to its name, in the statement that marks
 * the event as delivered. So a start exists once for each event and workflow, whichever process delivers. It is made by a
 * process with the code, which alone can make the input. The execution has an idempotency key that follows from the event,
 * so a start that is made twice finds the first execution.
 *
 * Workflows subscribe with their definitions; see `DefinitionStore.register`.
 */
export interface EventStartStore {
  /**
   * Stores the starts that delivered events have to make by the subscriptions of now. Returns the names of their workflows. For
   * events that were delivered while the subscriptions were lost.
   */
  startFor(eventIds: readonly string[]): Promise<readonly string[]>;
  /**
   * Takes up to `limit` starts of each subscription that are due, and postpones them by `leaseMs`: if the process dies,
   * another one takes them then.
   */
  take(
    subscriptions: readonly EventSubscription[],
    limit: number,
    leaseMs: number,
  ): Promise<PendingEventStart[]>;
  /** Deletes starts that were made, and postpones those that failed. */
  settle(results: readonly EventStartResult[]): Promise<void>;
}
