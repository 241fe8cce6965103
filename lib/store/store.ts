import type { DataSource, EntityManager } from 'typeorm';
import type { FailureKind } from './failure-kind.js';
import type { Claimant } from './statements/lease-clause.js';
import type { ClaimedTask, TaskKey } from './statements/claim-tasks.js';
import type { CompletionResult, Outcome } from './statements/complete-tasks.js';
import type { ControlResult } from './statements/control-execution.js';
import type { ExecutionRow, TaskRow } from './statements/execution-rows.js';
import type { RecordedOutcome } from './statements/read-outcomes.js';
import type { Reschedule } from './statements/reschedule-tasks.js';
import type {
  RecoveryEventRow,
  RecoveryStatsRow,
  TakenOrphan,
  TakeOrphans,
} from './statements/recovery.js';
import type { ResetTask } from './statements/reset-execution.js';
import type { StartItem } from './statements/start-executions.js';
import type { DueTimes } from './statements/wake-ups.js';
import type { TenantTables } from './statements/statement.js';

export type {
  Claimant,
  ClaimedTask,
  CompletionResult,
  ControlResult,
  DueTimes,
  ExecutionRow,
  FailureKind,
  Outcome,
  RecordedOutcome,
  Reschedule,
  ResetTask,
  StartItem,
  TaskKey,
  TaskRow,
  TenantTables,
};
export type {
  DependentEdge,
  EndedExecution,
  OutcomeDetail,
  ReadiedTask,
} from './statements/complete-tasks.js';
export type { LeaseRow } from './statements/recovery.js';
export type { Survey, TenantSurvey } from './session-statements.js';
export type { RecoveryEventRow, RecoveryStatsRow, TakenOrphan, TakeOrphans };
export type { RescheduleKind } from './statements/reschedule-tasks.js';
export type { StartPlan } from './statements/start-executions.js';

/** Written with the first claim of a process in a tenant; `write` is false while the lease is held. */
export interface LeaseWrite {
  readonly claimant: Claimant;
  readonly write: boolean;
}

/** A lease of this process in one tenant. */
export interface HeldLease {
  readonly tables: TenantTables;
  readonly instanceId: string;
}

export interface StoredDefinitionRow {
  readonly id: number;
  readonly hash: string;
  readonly name: string;
}

export interface DefinitionContent extends StoredDefinitionRow {
  /** What `storeWorkflow` made, parsed. */
  readonly definition: unknown;
}

export interface NewDefinition {
  readonly hash: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly definition: unknown;
}

export interface ExecutionInput {
  /** JSON text. */
  readonly input: string;
  /** Until the workflow's timeout; null without one. */
  readonly deadlineInMs: number | null;
}

export interface ExecutionListFilter {
  readonly workflow?: string | undefined;
  readonly statuses?: readonly string[] | undefined;
  readonly createdAfter?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly limit: number;
  /** The last one of the page before. */
  readonly after?: { readonly createdAtMicros: string; readonly id: string } | undefined;
}

export interface ListedExecution extends ExecutionRow {
  readonly createdAtMicros: string;
}

export interface PastDeadline {
  readonly id: string;
  readonly workflow: string;
  readonly timeoutMs: number;
}

/** An ended execution under lock, for the decision on what a manual retry resets. */
export interface LockedExecution {
  readonly definitionId: number;
  readonly status: string;
  readonly tasks: readonly {
    readonly taskNo: number;
    readonly status: string;
    readonly skipReason: string | null;
  }[];
}

/** What a transactional task has: the manager for its writes, and the last statement before COMMIT. */
export interface TaskTransaction {
  readonly manager: EntityManager;
  complete(outcomes: readonly Outcome[], lease: LeaseWrite): Promise<CompletionResult>;
}

/**
 * All that the engine asks of one tenant's schema. Each method is one statement or one transaction; none of them
 * retries, because who calls knows what else is waiting.
 */
export interface TenantStore {
  readonly schema: string;
  readonly tables: TenantTables;
  readonly dataSource: DataSource;
  readonly definitions: DefinitionStore;
  readonly recovery: RecoveryStore;

  failureKind(error: unknown): FailureKind;

  /** Creates executions. `keyed` (or sent again): returns the ids created now; otherwise all are. */
  start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
  ): Promise<ReadonlySet<string> | 'all'>;
  /** The same inside the caller's transaction, with a notification at its commit. */
  startIn(
    manager: EntityManager,
    item: StartItem,
    lease: LeaseWrite,
    payload: string,
  ): Promise<boolean>;
  /** The ids that hold these keys, by index; undefined where none does. */
  findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: EntityManager,
  ): Promise<(string | undefined)[]>;

  claim(
    definitions: readonly number[],
    unknown: readonly (readonly [definition: number, task: number])[],
    limit: number,
    lease: LeaseWrite,
    except?: readonly TaskKey[],
  ): Promise<ClaimedTask[]>;
  /** Sorted by execution and task. */
  complete(outcomes: readonly Outcome[], lease: LeaseWrite): Promise<CompletionResult>;
  /** Sorted by execution and task; by index, whether the claim was still held. */
  reschedule(items: readonly Reschedule[]): Promise<boolean[]>;
  /** From so many recoveries on a task is a suspect, and begins with {@link TenantStore.beginSuspect}. */
  readonly suspectAfter: number;
  /** Whether the claim is still held. */
  beginSuspect(executionId: string, taskNo: number, token: number): Promise<boolean>;
  claimsOf(instanceId: string): Promise<ClaimedTask[]>;
  /** `signal` aborts when nothing of it will be taken any more. */
  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;

  outcomes(
    tasks: readonly { readonly executionId: string; readonly taskNo: number }[],
  ): Promise<RecordedOutcome[]>;
  inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>>;
  writeFinalContext(id: string, context: string, generation: number): Promise<void>;

  executions(ids: readonly string[]): Promise<ExecutionRow[]>;
  tasks(ids: readonly string[]): Promise<TaskRow[]>;
  list(filter: ExecutionListFilter): Promise<ListedExecution[]>;
  /** Marks it as awaited; its status, or undefined when there is no such execution. */
  await(id: string): Promise<string | undefined>;

  cancel(id: string, reason: string | null): Promise<ControlResult>;
  pause(id: string, reason: string | null): Promise<ControlResult>;
  resume(id: string): Promise<ControlResult>;
  timeOut(id: string, error: unknown): Promise<ControlResult>;
  pastDeadlines(): Promise<PastDeadline[]>;
  /** Decides on the locked rows and resets; null: nothing to do, roll back. Undefined when there is no such execution. */
  reset(
    id: string,
    decide: (
      execution: LockedExecution,
    ) => Promise<{ readonly tasks: readonly ResetTask[]; readonly leaves: number } | null>,
  ): Promise<LockedExecution | undefined>;

  releaseLease(instanceId: string): Promise<void>;
}

/** A tenant's stored definitions. */
export interface DefinitionStore {
  /** Stores it, or makes the stored one the newest of its name; its id. */
  register(definition: NewDefinition): Promise<number>;
  /** The newest of each name. */
  newestOf(names: readonly string[]): Promise<StoredDefinitionRow[]>;
  all(): Promise<StoredDefinitionRow[]>;
  find(id: number): Promise<DefinitionContent | undefined>;
  newest(name: string): Promise<DefinitionContent | undefined>;
}

export interface RecoveryEventFilterRow {
  readonly executionId: string | null;
  readonly since: Date | null;
  /** The id of the last one of the page before. */
  readonly before: string | null;
  readonly limit: number;
}

export interface BlockedTaskRow {
  readonly executionId: string;
  readonly taskNo: number;
  readonly definitionId: number;
}

/** What recovery asks of a tenant's schema. */
export interface RecoveryStore {
  /** Ends a lost instance's lease, if it is as it was judged; who gets true has the recovery. */
  endLease(
    instanceId: string,
    judged: { readonly over: boolean; readonly lockEpoch: string | null; readonly lockKey: number },
  ): Promise<boolean>;
  takeOrphans(instanceId: string, how: TakeOrphans, lease: LeaseWrite): Promise<TakenOrphan[]>;
  /** Whom a task was taken from, oldest first. */
  ownersOf(executionId: string, taskNo: number): Promise<string[]>;
  stats(since: Date | null): Promise<RecoveryStatsRow>;
  events(filter: RecoveryEventFilterRow): Promise<RecoveryEventRow[]>;
  blocked(
    definitions: readonly number[],
    unknown: readonly (readonly [definition: number, task: number])[],
  ): Promise<BlockedTaskRow[]>;
}
