import type { StoredError } from '../errors/index.js';
import type { WorkflowEventName } from './event-name.js';
import type { ExecutionFacts, WorkflowEvent } from './workflow-event.js';

/** A start, or a call that starts several executions and has no `executionId`. */
export interface TracedStart {
  readonly tenant: string;
  readonly workflow: string;
  readonly executionId?: string;
}

/** The span of a start. */
export interface StartSpan {
  /** What is stored with the execution, so that other processes continue the trace. */
  readonly context: string;
  /** @param started - what became of a single start. Absent: the start is left to others */
  ended(started?: { readonly executionId: string; readonly created: boolean }): void;
  failed(error: StoredError): void;
}

/** A run of a task that begins. */
export interface TracedAttempt extends ExecutionFacts {
  readonly task: string;
  /** Number of the item, from 1 on. Absent for the task itself. */
  readonly item?: number;
  /** Number of the attempt, from 1 on. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** How often the task was recovered since its last recorded outcome. */
  readonly recoveryAttempt: number;
  /** The span of the start, as it was stored. Null if the start was not traced. */
  readonly traceContext: string | null;
  /** Time since the task became due, in milliseconds. Absent if that is not known. */
  readonly waitedMs?: number;
}

/** How a run of a handler ended. `returned`: it gave its claim back, or no longer had one. */
export type AttemptOutcome =
  'completed' | 'deferred' | 'failed' | 'returned' | 'skipped' | 'suspended';

/** The span and the measurements of a run of a task. */
export interface AttemptSpan {
  /** Runs the handler within the span. */
  run<T>(work: () => T): T;
  ended(outcome: AttemptOutcome, error?: StoredError): void;
}

/** The use of the slots for tasks in this process. */
export interface SlotUse {
  readonly limit: number;
  readonly running: number;
  /** Claimed tasks that wait for a slot. */
  readonly queued: number;
}

/** The use of a connection pool. */
export interface PoolUse {
  /** `statements` for hot statements, `general` for data sources and all else. */
  readonly name: string;
  readonly max: number;
  readonly used: number;
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly pending: number;
}

/** The due tasks of a tenant. */
export interface Backlog {
  readonly tenant: string;
  /** Number of due tasks, at most 10,000. */
  readonly due: number;
  /** Time since the oldest of them became due, in milliseconds; 0 without any. */
  readonly oldestMs: number;
}

/** What is read when metrics are collected. */
export interface TelemetrySource {
  slots(): SlotUse;
  pools(): readonly PoolUse[];
  /** Reads the database. Rejects if it cannot be reached. */
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
  /** Receives the events of all tenants. */
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
  /** Measures a statement that wrote or claimed many items at once. */
  batch(kind: 'claim' | 'outcome' | 'start', tenant: string, size: number): void;
  /** Measures a recovery of tasks of one process. `lostForMs`: from the loss until the tasks were Ready again. */
  recovered(tenant: string, cause: string, lostForMs: number): void;
  /** Measures a firing of a schedule. `lateMs`: from its due time until it was stored. */
  fired(tenant: string, workflow: string, lateMs: number): void;
  /** Registers what collections read. Returns a function that ends it. */
  observe(source: TelemetrySource): () => void;
}
