import type { EntityManager } from 'typeorm';
import type { Duration } from '../workflow/duration.js';
import type { Tags } from '../workflow/tags.js';
import type { RetryOptions } from './options.js';
import type { WorkflowInput, WorkflowRef } from './workflow-ref.js';

/** The options of {@link Poller}. */
export interface PollerOptions<R extends WorkflowRef = WorkflowRef> {
  /**
   * The poller's name, unique in the application, 1 to 100 characters. Its schedule has the same name, and its cursor is
   * kept under it: after a rename the poller begins without a cursor.
   */
  readonly name: string;
  /** The time between polls, at least a second. A poll that takes longer delays the next one. */
  readonly every: Duration;
  /** The workflow that the poller starts, by class, name or definition. Tenants that do not run it are not polled. */
  readonly workflow: R;
  /** Which tenants are polled: their names, or a function that decides. Default: all that run the workflow. */
  readonly tenants?: readonly string[] | ((tenant: string) => boolean);
  /**
   * How a poll that failed is tried again. No other poll begins before the last attempt. Default: 10 attempts, with
   * exponential delays from 1 s to 5 min and jitter.
   */
  readonly retry?: RetryOptions;
  /** The longest duration of one attempt. Default: 5 min. */
  readonly timeout?: Duration;
}

/** What a method with {@link Poller} gets. `C` is the type of the cursor. */
export interface PollerContext<C = unknown> {
  /** The name of the poller. */
  readonly name: string;
  /** The name of the tenant that is polled. */
  readonly tenant: string;
  /** The cursor that the poll before has returned, or `setCursor` has set. Undefined before either. */
  readonly cursor: C | undefined;
  /** Writes through it commit with the cursor and the starts of the poll, or not at all. */
  readonly manager: EntityManager;
  /** Aborts when the result is no longer wanted: at the timeout, a cancel, or a shutdown that waits no longer. */
  readonly signal: AbortSignal;
  /** The number of the attempt, from 1. Higher if the poll has failed before. */
  readonly attempt: number;
}

/** An execution that a poll starts. */
export interface PollerStart<R extends WorkflowRef = WorkflowRef> {
  /**
   * The idempotency key, 1 to 500 characters. If an execution of the workflow has it already, nothing is started. So the
   * same thing seen twice starts one execution.
   */
  readonly key: string;
  /** The input of the execution. */
  readonly input: WorkflowInput<R>;
  /** Business keys, by which `list` and `counts` find the execution. Default: none. */
  readonly tags?: Tags;
  /** A number that is added to the priorities of the tasks. Default: 0. */
  readonly priority?: number;
  /** The earliest time at which tasks run. Default: now. */
  readonly runAt?: Date;
  /** The earliest time at which tasks run, as a duration from now. Cannot be combined with `runAt`. */
  readonly delay?: Duration;
}

/** What a poll has found. */
export interface PollerResult<R extends WorkflowRef = WorkflowRef, C = unknown> {
  /** The executions to start. Default: none. */
  readonly starts?: readonly PollerStart<R>[];
  /** The new cursor: any JSON of at most 1 MB. Default: it stays. */
  readonly cursor?: C;
}

/** A method with {@link Poller}. It may return nothing. */
export type PollerMethod<R extends WorkflowRef> = (
  // oxlint-disable-next-line typescript/no-explicit-any -- of any cursor
  context: PollerContext<any>,
) => PollerResult<R> | void | Promise<PollerResult<R> | void>;
