import type { Logger } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import type { Duration } from '../workflow/duration.js';
import type { ContextKey } from './context-types.js';
import type { StepOptions } from './step-options.js';

/** JSON values by top-level key: a context, or the keys that a task adds to it. */
export type JsonObject = Record<string, unknown>;

/** The {@link CloacinaRunner} of a task's tenant. */
// oxlint-disable-next-line typescript/no-empty-object-type -- lib/runner declares its members
export interface TaskRunner {}

/** The parameter of a task's handler: the execution's context, and facts and services of the attempt. */
export interface TaskContext<C extends object = JsonObject> {
  /**
   * Returns a copy of the key's value, or `undefined` if the key is missing. Call {@link TaskContext.set} to store a
   * change of the copy.
   */
  get<K extends ContextKey<C>>(key: K): C[K];
  /**
   * Sets the value of a top-level key; `undefined` deletes the key. The value is stored together with the task's
   * outcome, and replaces a nested value as a whole. Values that a failed attempt or a deferred run has set are
   * dropped.
   *
   * @throws InvalidContextError for a value that JSON cannot carry, with its path
   */
  set<K extends ContextKey<C>>(key: K, value: C[K]): void;
  /** Whether the context has the key. A value of null counts. */
  has(key: string): boolean;
  /** Deletes a key. Like any other write, a deletion overrides the values of ancestors. */
  delete(key: string): void;
  /**
   * Returns a copy of the key's value.
   *
   * @throws InvalidContextError if the key is missing or null; the task then fails without a retry
   */
  require<K extends ContextKey<C>>(key: K): NonNullable<C[K]>;
  /** A frozen copy of the whole context, as this task sees it. */
  readonly data: Readonly<C>;
  /** The id of the execution, a UUID. */
  readonly executionId: string;
  /** The task's name. */
  readonly taskName: string;
  /** The workflow's name. */
  readonly workflow: string;
  /** The tenant's name. */
  readonly tenant: string;
  /**
   * The number of the attempt, from 1. Only a recorded failure adds 1: a lost process or a deferral costs no attempt.
   */
  readonly attempt: number;
  /** The number of attempts that the task has, including the first. */
  readonly maxAttempts: number;
  /** How often the task was recovered from a lost process since its last recorded outcome; 0 in the first run. */
  readonly recoveryAttempt: number;
  /**
   * A key for effects outside the database. It is the same in all runs of this task of this execution: retries,
   * recoveries and manual retries.
   */
  readonly idempotencyKey: string;
  /**
   * Aborts when the attempt times out, the execution is cancelled, the process shuts down, or the claim is lost. Its
   * `reason` is the error.
   */
  readonly signal: AbortSignal;
  /** A Nest logger that names the tenant, workflow, task and execution in every line. */
  readonly logger: Logger;
  /**
   * The runner of the task's tenant, which starts, reads and controls executions. Inside a task, `execute()` and
   * `result()` throw a NotAllowedError.
   *
   * @example
   * ```ts
   * // In a transactional task, the start commits with the task.
   * await context.runner.start(SendInvoice, { orderId }, { manager: context.manager });
   * ```
   */
  readonly runner: TaskRunner;
  /** The tenant's data source. In a transactional task, it uses another connection than the transaction. */
  readonly dataSource: DataSource;
  /**
   * The entity manager of the task's transaction in a transactional task, otherwise that of the tenant's data source.
   */
  readonly manager: EntityManager;
  /**
   * Waits for a condition without occupying a slot. If the condition is true, the handler continues. If it gives
   * another truthy value, `deferUntil` returns that value. Otherwise the task gives its slot back, and runs again from
   * the beginning of its handler after `every`.
   *
   * Always await the call. It throws a control signal to stop the handler; do not catch it. A caught signal changes
   * nothing: the task is put off all the same.
   *
   * @param options.every - the time until the condition is checked again, default 5 s
   * @param options.timeout - the longest wait, from the first deferral. Then the task fails with a
   *   DeferralTimeoutError, unless its `retryIf` allows another attempt. Default: no limit
   * @example
   * ```ts
   * await context.deferUntil(() => this.payments.isSettled(id), { every: '1m', timeout: '2d' });
   * const parcel = await context.deferUntil(() => this.carrier.find(id)); // Parcel, where find() gives Parcel | undefined
   * ```
   */
  deferUntil(condition: () => boolean | Promise<boolean>, options?: DeferOptions): Promise<void>;
  /** Waits for a condition that returns a value, such as a row, and returns the value. */
  deferUntil<T>(condition: () => T | Promise<T>, options?: DeferOptions): Promise<Found<T>>;
  /**
   * Runs `work` and records its result under a name. A later run of the task (a retry, a recovery, or the run after a
   * wait) returns the recorded result without running `work` again. The order of steps does not matter, so a deploy may add,
   * remove and move steps. Steps may run at the same time.
   *
   * `work` runs at least once, because a process may end before its result is recorded. The result has to be JSON, at most
   * `maxContextSize` bytes; the call returns it as JSON does, so a Date becomes a string. If `work` throws, nothing is
   * recorded, and the attempt fails with that error. A recorded step is progress: `maxAttempts` then counts from 1 again.
   *
   * Always await the call.
   *
   * @param name - 1 to 200 characters without `#` and `@`, unique in the task; in a loop, add a `key`
   * @throws DuplicateStepError for a name that this run has used already; the task fails without a retry
   * @throws TooManyStepsError beyond `maxSteps`; the task fails without a retry
   * @throws InvalidContextError for a result that JSON cannot carry
   * @throws ContextTooLargeError for a result that is larger than `maxContextSize`
   * @throws NotAllowedError in a transactional task
   * @example
   * ```ts
   * const file = await context.step('download', () => this.storage.download(url));
   * for (const page of pages) {
   *   await context.step('page', { key: page.number }, () => this.index(page));
   * }
   * ```
   */
  step<T>(name: string, work: () => T | Promise<T>): Promise<T>;
  /**
   * Runs a step in a transaction. Its writes through `manager` and its record commit together, so they are stored exactly
   * once. The task holds no connection before and after it.
   *
   * @example
   * ```ts
   * await context.step('charge', { transactional: true }, (manager) => manager.insert(Charge, { orderId }));
   * ```
   */
  step<T>(
    name: string,
    options: StepOptions & { readonly transactional: true },
    work: (manager: EntityManager) => T | Promise<T>,
  ): Promise<T>;
  /** Runs and records a step with a key or a version. */
  step<T>(name: string, options: StepOptions, work: () => T | Promise<T>): Promise<T>;
  /**
   * Waits for a time without occupying a slot, a connection or a process. The time is recorded, and the task runs again
   * from the beginning of its handler when it is over; recorded steps are not repeated. The wait is not limited by the
   * task's `timeout`, which bounds each run, but by that of the workflow.
   *
   * Always await the call. It throws a control signal to stop the handler, so `finally` blocks run; see
   * {@link TaskContext.suspending}. Do not catch it. A caught signal changes nothing: the task sleeps all the same. In a
   * transactional task the transaction is rolled back first.
   *
   * @param name - as in {@link TaskContext.step}; both share their names
   * @param duration - the time from the first call, or the instant of its end
   * @throws InvalidArgumentError for an invalid name or duration
   * @example
   * ```ts
   * await context.step('remind', () => this.mail.remind(customer));
   * await context.sleep('wait for payment', '3d');
   * await context.step('remind again', () => this.mail.remind(customer));
   * ```
   */
  sleep(name: string, duration: Duration | { readonly until: Date }): Promise<void>;
  /**
   * Whether this run of the handler ends without an outcome, because a wait suspended the task or `deferUntil` put it off.
   * For `finally` blocks, which run at each suspension.
   */
  readonly suspending: boolean;
}

/**
 * The value that {@link TaskContext.deferUntil} returns: the condition's result without falsy values, and undefined for
 * `true`.
 */
export type Found<T> =
  Exclude<T, boolean | 0 | 0n | '' | null | undefined> | (true extends T ? undefined : never);

/** Options of {@link TaskContext.deferUntil}. */
export interface DeferOptions {
  /** The time until the condition is checked again. Default: 5 s. */
  every?: Duration;
  /** The longest wait, from the first deferral. Default: no limit. */
  timeout?: Duration;
}

/** The result of a task: keys to store, as with {@link TaskContext.set}, or nothing. */
export type TaskResult = JsonObject | void | undefined;

/**
 * The handler of a task. The context is `any`, because a parameter of type `TaskContext<JsonObject>` would not accept a
 * method `(context: TaskContext<Order>) => …`.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type TaskMethod = (context: TaskContext<any>) => TaskResult | Promise<TaskResult>;

/**
 * A result whose type is an interface or a class. The compiler does not accept these as JsonObject, because they have
 * no index signature. Iterables such as arrays and Maps are refused. Promises are too, because they would hide the type
 * that they resolve to.
 */
export type TaskResultObject = object & {
  readonly [Symbol.iterator]?: never;
  readonly then?: never;
};

/** The methods that {@link Task} accepts: a {@link TaskMethod}, or one whose result has an interface as its type. */
export type TaskHandlerOf<C extends object> = (
  context: TaskContext<C>,
) => TaskResult | TaskResultObject | Promise<TaskResult | TaskResultObject>;
