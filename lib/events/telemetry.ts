import type { StoredError } from '../errors/index.js';
import type { WorkflowEventName } from './event-name.js';
import type { ExecutionFacts, WorkflowEvent } from './workflow-event.js';

/** A start of an execution, or a call that starts several. */
export interface TracedStart {
  /** The name of the tenant. */
  readonly tenant: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The id of the execution. Absent for a call that starts several. */
  readonly executionId?: string;
}

/** The span of a start. One of `ended` and `failed` ends it, once. */
export interface StartSpan {
  /** The context of the span, which is stored with the execution, so that other processes continue the trace. */
  readonly context: string;
  /**
   * Ends the span of a start that succeeded.
   *
   * @param started - the execution of a single start. `created` is false if it existed already, by its idempotency key. Absent
   * for a call that starts several
   */
  ended(started?: { readonly executionId: string; readonly created: boolean }): void;
  /** Ends the span of a start that failed. */
  failed(error: StoredError): void;
}

/** A run of a task that begins. */
export interface TracedAttempt extends ExecutionFacts {
  /** The name of the task. */
  readonly task: string;
  /** The number of the item, from 1. Absent for the task itself. */
  readonly item?: number;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The number of attempts that the task has at most. */
  readonly maxAttempts: number;
  /** The number of recoveries of the task since its last recorded outcome. */
  readonly recoveryAttempt: number;
  /** The context of the span of the start, as it was stored. Null if the start was not traced. */
  readonly traceContext: string | null;
  /** Time since the task became due, in milliseconds. Absent if it is not known. */
  readonly waitedMs?: number;
}

/**
 * How a run of a handler ended.
 *
 * - `completed`, `failed`, `skipped`: with this outcome of the attempt.
 * - `deferred`: the condition of its `deferUntil()` was false.
 * - `suspended`: a wait such as `sleep()` suspended it.
 * - `returned`: without an outcome: the process gave the claim back, or had lost it.
 */
export type AttemptOutcome =
  'completed' | 'deferred' | 'failed' | 'returned' | 'skipped' | 'suspended';

/** The span and the measurements of a run of a task. */
export interface AttemptSpan {
  /** Calls `work`, the handler, within the span. */
  run<T>(work: () => T): T;
  /**
   * Ends the span. After a timeout, the handler may still run.
   *
   * @param error - the error of a failed attempt
   */
  ended(outcome: AttemptOutcome, error?: StoredError): void;
}

/** The slots for tasks in this process. */
export interface SlotUse {
  /** The number of slots: `maxConcurrentTasks` of `forRoot`. */
  readonly limit: number;
  /** The number of slots in use. */
  readonly running: number;
  /** The number of claimed tasks that wait for a slot. */
  readonly queued: number;
}

/** The connections of a pool in this process. */
export interface PoolUse {
  /** `statements` for the library's hot statements, `general` for data sources and the library's other statements. */
  readonly name: string;
  /** The name of the server. Absent without the option `servers` of forRoot. */
  readonly server?: string;
  /** The largest number of connections. */
  readonly max: number;
  /** The number of connections in use. */
  readonly used: number;
  /** The number of open connections that are not in use. */
  readonly idle: number;
  /** The number of requests that wait for a connection. */
  readonly pending: number;
}

/** The due tasks of a tenant. */
export interface Backlog {
  /** The name of the tenant. */
  readonly tenant: string;
  /** The name of its server. Absent without the option `servers` of forRoot. */
  readonly server?: string;
  /** The number of due tasks that no process has claimed, counted up to 10,000. */
  readonly due: number;
  /** Time since the oldest of them became due, in milliseconds. 0 if no task is due. */
  readonly oldestMs: number;
}

/** What is read when metrics are collected. */
export interface TelemetrySource {
  /** The slots of this process, from memory. */
  slots(): SlotUse;
  /** The pools of this process, from memory. */
  pools(): readonly PoolUse[];
  /** The backlog of each tenant of this process, from the database. Rejects if the database cannot be reached. */
  backlog(): Promise<readonly Backlog[]>;
}

/**
 * Traces and measures the work of the library. Make it with `openTelemetry()` of `nestjs-cloacina/otel`: its members are
 * internal, and may change with any version.
 */
export interface CloacinaTelemetry {
  /** Runs `work`, and records no spans of it. */
  suppress<T>(work: () => T): T;
  /** Runs `work` outside of the trace of the code that calls it. */
  detach<T>(work: () => T): T;
  /** Whether spans are recorded or passed on. False without an SDK. */
  readonly isTracing: boolean;
  /** Whether measurements are recorded. False without an SDK. */
  readonly isMeasuring: boolean;
  /** Gets those events of all tenants whose names are in `names`. */
  readonly listener: {
    readonly names: readonly WorkflowEventName[];
    readonly receive: (event: WorkflowEvent) => void;
  };
  /** Whether collections read the backlog. */
  readonly readsBacklog: boolean;
  /** Begins the span of a start. Undefined without an SDK. */
  start(start: TracedStart): StartSpan | undefined;
  /** Begins the span of a run of a task. Undefined without an SDK. */
  attempt(attempt: TracedAttempt): AttemptSpan | undefined;
  /** Measures a statement that stored `size` starts or outcomes, or claimed `size` tasks. */
  batch(kind: 'claim' | 'outcome' | 'start', tenant: string, size: number): void;
  /** Measures a recovery of the tasks of one process. `lostForMs`: from its loss until they were Ready again, in milliseconds. */
  recovered(tenant: string, cause: string, lostForMs: number): void;
  /** Measures a firing of a schedule. `lateMs`: from when it was due until it was stored, in milliseconds. */
  fired(tenant: string, workflow: string, lateMs: number): void;
  /** Registers what collections read. Returns a function that ends it. */
  observe(source: TelemetrySource): () => void;
}
