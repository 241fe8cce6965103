import type { Logger } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import type { Duration } from '../workflow/duration.js';
import type { ContextKey } from './context-types.js';

/** A context, or what a task adds to one: JSON values by top-level key. */
export type JsonObject = Record<string, unknown>;

/** The {@link CloacinaRunner} of a task's tenant. */
// oxlint-disable-next-line typescript/no-empty-object-type -- the runner's own folder declares what it has
export interface TaskRunner {}

/** What a task gets: the execution's context, and everything about the run that it is in. */
export interface TaskContext<C extends object = JsonObject> {
  /**
   * The key's value, `undefined` when it is not there. A copy: changing it without {@link TaskContext.set} stores
   * nothing.
   */
  get<K extends ContextKey<C>>(key: K): C[K];
  /**
   * Stores a value under a top-level key, with the task's outcome; a nested value is replaced whole. What a failed
   * attempt or a deferred run sets is dropped.
   *
   * @throws InvalidContextError for what JSON cannot carry, with the path of the bad value
   */
  set<K extends ContextKey<C>>(key: K, value: C[K]): void;
  /** Whether the key is there, be its value null. */
  has(key: string): boolean;
  /** Removes a key. A deletion is a value: it wins over the values of ancestors as any other write does. */
  delete(key: string): void;
  /**
   * The key's value.
   *
   * @throws InvalidContextError when it is not there or null
   */
  require<K extends ContextKey<C>>(key: K): NonNullable<C[K]>;
  /** The whole context, as this task sees it. A frozen copy. */
  readonly data: Readonly<C>;
  /** The id of the execution, a UUID. */
  readonly executionId: string;
  /** The task's name. */
  readonly taskName: string;
  /** The workflow's name. */
  readonly workflow: string;
  /** The tenant's name. */
  readonly tenant: string;
  /** 1 for the first. Goes up when a failure was recorded; a lost process or a deferral costs none. */
  readonly attempt: number;
  /** All attempts that the task has, the first included. */
  readonly maxAttempts: number;
  /** How often the task was recovered from a lost process since its last recorded outcome; 0 for the first run. */
  readonly recoveryAttempt: number;
  /** The same for retries, recoveries and a manual retry of this task: for effects outside the database. */
  readonly idempotencyKey: string;
  /** Aborted on timeout, cancellation, shutdown and when the claim is lost; the reason is the error. */
  readonly signal: AbortSignal;
  /** Names the tenant, workflow, execution and task in every line. */
  readonly logger: Logger;
  /**
   * The tenant's: starts, reads and controls executions. Its `execute()` and the `result()` of its handles are refused
   * in a task.
   *
   * @example
   * ```ts
   * // In a transactional task, the start commits with the task.
   * await context.runner.start(SendInvoice, { orderId }, { manager: context.manager });
   * ```
   */
  readonly runner: TaskRunner;
  /** The tenant's. */
  readonly dataSource: DataSource;
  /** The tenant's; in a transactional task, of its transaction. */
  readonly manager: EntityManager;
  /**
   * Goes on when the condition holds, with what it found: a value that is neither falsy nor `true`. Otherwise it throws a control
   * signal, which must not be swallowed (swallowing it changes nothing): the task gives its slot back, and runs from its
   * top when due.
   *
   * @param options.every - how long until the condition is asked again, default 5 s
   * @param options.timeout - counted from the first deferral; then DeferralTimeoutError, which fails the task unless its
   *   `retryIf` allows another attempt. Default: none
   * @example
   * ```ts
   * await context.deferUntil(() => this.payments.isSettled(id), { every: '1m', timeout: '2d' });
   * const parcel = await context.deferUntil(() => this.carrier.find(id)); // Parcel, where find() gives Parcel | undefined
   * ```
   */
  deferUntil(condition: () => boolean | Promise<boolean>, options?: DeferOptions): Promise<void>;
  deferUntil<T>(condition: () => T | Promise<T>, options?: DeferOptions): Promise<Found<T>>;
}

/** What a condition of {@link TaskContext.deferUntil} found: what it gives, without the values that mean "not yet". */
export type Found<T> = Exclude<T, boolean | 0 | 0n | '' | null | undefined>;

/** How {@link TaskContext.deferUntil} waits. */
export interface DeferOptions {
  /** How long until the condition is asked again. Default 5 s. */
  every?: Duration;
  /** Counted from the first deferral. Default: none. */
  timeout?: Duration;
}

/** What a task may return: keys to store, as by {@link TaskContext.set}, or nothing. */
export type TaskResult = JsonObject | void | undefined;

/**
 * A task's handler. The context is `any` for variance: `(context: TaskContext<Order>) => …` must be a TaskMethod,
 * and a parameter of type `TaskContext<JsonObject>` would refuse it.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type TaskMethod = (context: TaskContext<any>) => TaskResult | Promise<TaskResult>;

/**
 * A result whose type is an interface or a class: those have no index signature, so they are no JsonObject to the
 * compiler. Arrays, Maps and the like are iterable, and refused; a promise would hide what it resolves to.
 */
export type TaskResultObject = object & {
  readonly [Symbol.iterator]?: never;
  readonly then?: never;
};

/** Every method that {@link Task} accepts: a {@link TaskMethod}, or one whose result is typed by an interface. */
export type TaskHandlerOf<C extends object> = (
  context: TaskContext<C>,
) => TaskResult | TaskResultObject | Promise<TaskResult | TaskResultObject>;
