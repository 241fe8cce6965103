import type { Clock } from './clock.js';
import type { Failure } from './failure.js';
import type { Permit } from './permit.js';

export interface BatcherOptions<I, R> {
  readonly clock: Clock;
  /** Maximum number of items in one statement. */
  readonly maxItems: number;
  /**
   * Weight of an item, for example its number of rows. A batch weighs at most `maxWeight`, unless it is a single item.
   * Default: 1.
   */
  readonly weight?: (item: I) => number;
  readonly maxWeight?: number;
  /** Maximum number of statements under way, default 1. Each one beyond the first is sent only with a full batch. */
  readonly maxStatements?: number;
  /**
   * Whether the callers that a batch resumes often come with their next item. The next batch then waits for the end of this
   * turn of the event loop, and takes their items too. Without it, items queued during the statement are sent before they
   * come: two halves of the callers would take turns from then on, each waiting for the other's statement. Default: no.
   */
  readonly awaitsResumed?: boolean;
  /**
   * Waits for the connection that a batch will be sent on. A batch is formed only then, so it also has the items that
   * were added during the wait. Never rejects. Default: batches are formed at once.
   */
  readonly permit?: () => Promise<Permit>;
  /**
   * Sends a batch and returns one result for each item. `resent`: an earlier send may have written some of the items.
   */
  readonly send: (items: readonly I[], resent: boolean) => Promise<readonly R[]>;
  readonly classify: (error: unknown) => Failure;
  /**
   * Limits the retries of items that met a lock although they were sent alone: `atOnce` at the same time, and a pause
   * of `pauseMs` after each that meets a lock again. A pausing item holds no connection. Default: the limit of items
   * that are sent alone for the first time, and no pause.
   */
  readonly locked?: { readonly atOnce: number; readonly pauseMs: number };
  /**
   * Decides about an item while the database is unavailable or rows are locked: returns the error to reject it with, or
   * undefined to keep trying. `sent`: the item may have been written. `waitedMs`: time since the item was added.
   */
  readonly giveUp?: (
    item: I,
    error: unknown,
    state: { readonly sent: boolean; readonly waitedMs: number },
  ) => Error | undefined;
  /** Called once for each item that has no result after five seconds, with its latest error. */
  readonly late?: (items: readonly I[], error: unknown) => void;
  /** Called for each item that is resolved or rejected. */
  readonly ended?: (item: I) => void;
}
