import type { Logger } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import type { Duration } from '../workflow/duration.js';
import type { ContextKey } from './context-types.js';
import type { EventDefinition, SignalDefinition } from './message-definitions.js';
import type { StepOptions } from './step-options.js';
import type {
  EventWaitOptions,
  MessageSource,
  NoTimeout,
  ReceivedMessage,
  SignalWaitOptions,
  WaitForAnyOptions,
} from './wait-options.js';
import type {
  ChildCall,
  ChildContexts,
  ChildHandle,
  ExecuteAllOptions,
  ExecuteChildOptions,
  SettledChild,
  SettledChildren,
  StartChildOptions,
} from './child-options.js';
import type { WorkflowContext, WorkflowInput, WorkflowRef } from './workflow-ref.js';

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
   * Waits for a signal to this execution, and takes the oldest one of its name. It may have been sent before. Like `sleep`, the
   * wait occupies nothing: if there is no signal, the task runs again from the beginning of its handler when there is one.
   *
   * Always await the call; what {@link TaskContext.sleep} says of its control signal holds here too.
   *
   * @returns the payload. With a `timeout`, `undefined` if no signal came in time
   * @throws DuplicateStepError for a second wait for the same signal in one run without a `name`; the task fails
   * @throws InvalidArgumentError for invalid options
   * @example
   * ```ts
   * const answer = await context.waitFor(Approval, { timeout: '14d' });
   * if (answer === undefined) return { status: 'expired' };
   * ```
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- the input of the sender does not matter
  waitFor<P>(signal: SignalDefinition<P, any>, options?: SignalWaitOptions & NoTimeout): Promise<P>;
  waitFor<P>(
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    signal: SignalDefinition<P, any>,
    options: SignalWaitOptions,
  ): Promise<P | undefined>;
  /**
   * Waits for an event with a key. An event that was sent before counts if it is not older than the execution, or than the
   * `lookback`. An event is not used up: every execution gets it. A task's next wait for the same event gets a later one.
   */
  waitFor<P>(
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    event: EventDefinition<P, any>,
    options: EventWaitOptions & NoTimeout,
  ): Promise<P>;
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  waitFor<P>(event: EventDefinition<P, any>, options: EventWaitOptions): Promise<P | undefined>;
  /**
   * Waits for the first of several signals and events. The oldest one wins; the others stay for later waits.
   *
   * @param of - the messages by labels, at most 20: signals, and events as `[event, key]`
   * @returns the label of the message as `name`, and its payload. With a `timeout`, `undefined` if none came in time
   * @example
   * ```ts
   * const first = await context.waitForAny({ paid: [InvoicePaid, id], withdrawn: Withdrawal }, { timeout: '30d' });
   * if (first?.name === 'paid') context.set('payment', first.payload);
   * ```
   */
  waitForAny<S extends Readonly<Record<string, MessageSource>>>(
    of: S,
    options?: WaitForAnyOptions & NoTimeout,
  ): Promise<ReceivedMessage<S>>;
  waitForAny<S extends Readonly<Record<string, MessageSource>>>(
    of: S,
    options: WaitForAnyOptions,
  ): Promise<ReceivedMessage<S> | undefined>;
  /**
   * Makes a token with which `CloacinaTokens.complete()` sends a signal to this execution, once, for a link in a mail or the
   * callback of a provider. It is text for a URL, and signed with `signalSecret`. Its holder can read the tenant's name and
   * the execution's id in it.
   *
   * Call it within a step, because every call makes a new token.
   *
   * @throws NotAllowedError without a `signalSecret`
   * @throws InvalidArgumentError for invalid options
   * @example
   * ```ts
   * await context.step('ask', () => {
   *   const token = context.signalToken(Approval, { expiresIn: '14d' });
   *   return this.mail.send(approver, `https://example.com/approvals/${token}`);
   * });
   * ```
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- any payload
  signalToken(signal: SignalDefinition<any, any>, options: { expiresIn: Duration }): string;
  /**
   * Starts an execution as a child, waits for its end without occupying a slot, and returns its context. The child is
   * recorded under a name: a later run of the task finds the same child.
   *
   * The child gets the priority and the tags of this execution unless the options have others, and it is pinned to the
   * newest definition of its workflow. When this execution is Cancelled or Failed, children that have not ended are
   * cancelled, see `onParentEnd`. A manual retry of this execution retries its failed children in place.
   *
   * Always await the call, and do not catch the signal that it throws; see {@link TaskContext.sleep}.
   *
   * @param input - the input, at most `maxContextSize` bytes of JSON
   * @throws ChildFailedError, ChildCancelledError if the child did not complete; the task fails without a retry, unless
   *   the handler catches the error. With `settled: true`, the child is returned instead
   * @throws ChildMissingError if the child was deleted
   * @throws NotAllowedError below 50 levels of executions, or if the child would wait for itself
   * @throws DuplicateStepError for a name that this run has used already; give a `name` or a `key`
   * @throws UnknownWorkflowError, InvalidContextError, ContextTooLargeError, InvalidArgumentError as `start`
   * @example
   * ```ts
   * const { pdf } = await context.execute(RenderPdf, { invoiceId: context.require('id') });
   * ```
   */
  execute<R extends WorkflowRef>(
    workflow: R,
    input?: WorkflowInput<R>,
    options?: ExecuteChildOptions & { settled?: false },
  ): Promise<WorkflowContext<R>>;
  /** With `settled: true`, returns a child in any final status; check its `status`. */
  execute<R extends WorkflowRef>(
    workflow: R,
    input: WorkflowInput<R> | undefined,
    options: ExecuteChildOptions,
  ): Promise<SettledChild<WorkflowContext<R>>>;
  /**
   * Starts several children together, waits for all of them, and returns their contexts in the same order. The task is
   * suspended once, until the last child has ended. If children did not complete, it throws the error of the first of them
   * after all have ended.
   *
   * Without a `name` or a `key`, a child is recorded under its workflow and its position, so a deploy must not change the
   * order; see the options.
   *
   * @param children - the workflow, the input and the options of each child
   * @throws the errors of {@link TaskContext.execute}
   * @example
   * ```ts
   * const pages = await context.executeAll(urls.map((url) => [ScanPage, { url }, { key: url }] as const));
   * ```
   */
  executeAll<const W extends readonly WorkflowRef[]>(
    children: { readonly [K in keyof W]: ChildCall<W[K]> },
    options?: ExecuteAllOptions & { settled?: false },
  ): Promise<ChildContexts<W>>;
  /** With `settled: true`, returns the children in any final status. */
  executeAll<const W extends readonly WorkflowRef[]>(
    children: { readonly [K in keyof W]: ChildCall<W[K]> },
    options: ExecuteAllOptions,
  ): Promise<SettledChildren<W>>;
  /**
   * Starts an execution as a child without waiting for it, and returns its handle. A later run of the task finds the same
   * child. In a transactional task, the child is stored with the writes and the outcome of the task, or not at all.
   *
   * @throws the errors of {@link TaskContext.execute} that concern the start
   * @example
   * ```ts
   * const { id } = await context.start(SendNewsletter, { edition }, { onParentEnd: 'abandon' });
   * ```
   */
  start<R extends WorkflowRef>(
    workflow: R,
    input?: WorkflowInput<R>,
    options?: StartChildOptions,
  ): Promise<ChildHandle<WorkflowContext<R>>>;
  /**
   * Reports how far the task is, for people who look at it: `get()` returns the latest value with the task. It returns at
   * once. The latest value of a task is stored once a second, so a task that ends within a second stores none.
   *
   * Progress is advisory. It belongs to a run of the task: a retry, a recovery or the run after a wait begins without. It
   * is ignored after the end of the task, and a crash of the database server loses it. Never decide by it.
   *
   * @param value - a JSON value other than null, at most 8,192 bytes of JSON
   * @throws InvalidArgumentError for any other value
   * @example
   * ```ts
   * for (const [done, page] of pages.entries()) {
   *   await context.step('page', { key: page.number }, () => this.index(page));
   *   context.progress({ done: done + 1, total: pages.length });
   * }
   * ```
   */
  progress(value: unknown): void;
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
