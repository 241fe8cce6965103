import type { DataSource, EntityManager } from 'typeorm';
import type { Failure, FailureClassifier, FailureKind } from '../../runtime/failure.js';
import type { Claimant } from '../postgres/statements/lease-clause.js';
import type { ClaimedTask, TaskKey } from '../postgres/statements/claim-tasks.js';
import type { CompletionResult, Outcome } from '../postgres/statements/complete-tasks.js';
import type { ControlResult } from '../postgres/statements/control-execution.js';
import type { KnownDefinitions, StoredDefinitionRow } from '../postgres/statements/definitions.js';
import type { ExecutionRow, TaskRow } from '../postgres/statements/execution-rows.js';
import type { RecordedOutcome } from '../postgres/statements/read-outcomes.js';
import type { Reschedule } from '../postgres/statements/reschedule-tasks.js';
import type {
  ClaimKey,
  RecoveryEventRow,
  RecoveryStatsRow,
  TakenOrphan,
  TakeOrphans,
} from '../postgres/statements/recovery.js';
import type { StrandedTaskRow } from '../postgres/statements/tasks-without-handler.js';
import type { ResetTask } from '../postgres/statements/reset-execution.js';
import type { StartItem, StartReply } from '../postgres/statements/start-executions.js';
import type { PastDeadline, TimedOutExecution } from '../postgres/statements/time-outs.js';
import type { DueTimes } from '../postgres/statements/wake-ups.js';
import type { TenantTables } from '../postgres/statements/statement.js';

export type {
  Claimant,
  ClaimedTask,
  CompletionResult,
  ControlResult,
  DueTimes,
  ExecutionRow,
  Failure,
  FailureKind,
  KnownDefinitions,
  Outcome,
  PastDeadline,
  RecordedOutcome,
  Reschedule,
  ResetTask,
  StartItem,
  StartReply,
  StoredDefinitionRow,
  TaskKey,
  TaskRow,
  TenantTables,
  TimedOutExecution,
};
export type {
  DependentEdge,
  EndedExecution,
  OutcomeDetail,
  ReadiedTask,
} from '../postgres/statements/complete-tasks.js';
export { OverdueTransactionError } from '../postgres/overdue-transaction.js';
export { isCreated } from '../postgres/statements/start-executions.js';
export { FIRST_TOKEN } from '../postgres/statements/statement.js';
export type { LeaseRow } from '../postgres/statements/recovery.js';
export type { SweepResult, TenantSweep } from '../postgres/session/session-statements.js';
export type {
  ClaimKey,
  RecoveryEventRow,
  RecoveryStatsRow,
  StrandedTaskRow,
  TakenOrphan,
  TakeOrphans,
};
export type { RescheduleKind } from '../postgres/statements/reschedule-tasks.js';
export type { StartPlan } from '../postgres/statements/start-executions.js';

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

export interface DefinitionContent extends StoredDefinitionRow {
  /** What `storeWorkflow` made, parsed. */
  readonly definition: unknown;
}

export interface NewDefinition {
  /** See `definitionIdOf`: it follows from the hash. */
  readonly id: string;
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

/** An ended execution under lock, for the decision on what a manual retry resets. */
export interface LockedExecution {
  readonly definitionId: string;
  readonly status: string;
  /** Goes up with every manual retry. */
  readonly generation: number;
  readonly tasks: readonly {
    readonly taskNo: number;
    readonly status: string;
    readonly skipReason: string | null;
  }[];
}

/** What a transactional task has: the manager for its writes, and the last statement before COMMIT. */
export interface TaskTransaction {
  readonly manager: EntityManager;
  /** It failed by no fault of the handler: the server had lost a statement that the library had prepared there. */
  readonly hasLostPlan: boolean;
  /** Runs the code that has the transaction's connection: it is told apart when it asks for another one. */
  within<T>(work: () => T): T;
  /** Rejects when the transaction has failed or ended inside the handler: nothing more can be part of it. */
  assertOpen(): Promise<void>;
  complete(outcomes: readonly Outcome[], lease: LeaseWrite): Promise<CompletionResult>;
}

/** What a claim leaves out of what is due. */
export interface ClaimChoice {
  readonly except?: readonly TaskKey[];
  /** Tasks whose execution another session has locked, rather than wait for the lock. */
  readonly pastLocks?: boolean;
}

/**
 * All that the engine asks of one tenant's schema. Each method is one statement or one transaction; none of them
 * retries, because who calls knows what else is waiting.
 */
export interface TenantStore extends FailureClassifier {
  readonly schema: string;
  readonly tables: TenantTables;
  readonly dataSource: DataSource;
  readonly definitions: DefinitionStore;
  readonly recovery: RecoveryStore;

  /** Creates executions. `keyed`, or sent again: tells which were created now; otherwise all are. */
  start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
    lockTimeoutMs?: number,
  ): Promise<StartReply>;
  /**
   * The same inside the caller's transaction, with a notification at its commit.
   *
   * @param lockTimeoutMs - how long to wait for a key that another transaction holds, unless the caller's says
   */
  startIn(
    manager: EntityManager,
    item: StartItem,
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<StartReply>;
  /** The ids that hold these keys, by index; undefined where none does. */
  findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: EntityManager,
  ): Promise<(string | undefined)[]>;

  claim(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
    limit: number,
    lease: LeaseWrite,
    choice?: ClaimChoice,
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
  /** Paused executions in which the instance holds claims. */
  pausedExecutions(instanceId: string): Promise<string[]>;
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
  /** The same of many; without those that are locked by another session just now. */
  awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;

  cancel(id: string, reason: string | null): Promise<ControlResult>;
  pause(id: string, reason: string | null): Promise<ControlResult>;
  resume(id: string): Promise<ControlResult>;
  /** A page of executions whose workflow timeout has passed, the oldest deadline first. */
  pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]>;
  /** Those that it ended; undefined when another process is at it. `errorOf` gives what is stored of each. */
  timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined>;
  /**
   * Decides on the locked rows and resets; null: nothing to do. In how many milliseconds it is due, 0 or less for now;
   * undefined when there is no such execution.
   */
  reset(
    id: string,
    decide: (
      execution: LockedExecution,
    ) => Promise<{ readonly tasks: readonly ResetTask[]; readonly leaves: number } | null>,
  ): Promise<number | undefined>;

  /** Writes the lease by itself. */
  writeLease(lease: LeaseWrite): Promise<void>;
  /** Deletes the lease; false: claims are held under it, and it stays. */
  releaseLease(instanceId: string): Promise<boolean>;
}

/** A tenant's stored definitions. */
export interface DefinitionStore {
  /** Stores them, or makes the stored ones the newest of their names. */
  register(definitions: readonly NewDefinition[]): Promise<void>;
  known(names: readonly string[]): Promise<KnownDefinitions>;
  /** Those of these names of which tasks wait to be claimed, now or later. */
  waiting(names: readonly string[]): Promise<StoredDefinitionRow[]>;
  find(id: string): Promise<DefinitionContent | undefined>;
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
  readonly definitionId: string;
}

/** How a lost instance's lease was when it was judged. */
export interface JudgedLease {
  readonly over: boolean;
  readonly lockEpoch: string | null;
  readonly lockSession: string | null;
}

/** What recovery asks of a tenant's schema. */
export interface RecoveryStore {
  /**
   * Ends a lost instance's lease, if it is as it was judged, or for certain if it is a former one of this process. The
   * caller that gets true has the recovery.
   */
  endLease(instanceId: string, judged: JudgedLease | 'former'): Promise<boolean>;
  /** Those of an instance that has no lease; of null: what runs without an owner. */
  takeOrphans(
    instanceId: string | null,
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]>;
  /** Claims of this very instance that it knows nothing of. */
  takeUnknown(
    claims: readonly ClaimKey[],
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]>;
  /** Whom a task was taken from, oldest first. */
  ownersOf(executionId: string, taskNo: number): Promise<string[]>;
  stats(since: Date | null): Promise<RecoveryStatsRow>;
  events(filter: RecoveryEventFilterRow): Promise<RecoveryEventRow[]>;
  stranded(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
  ): Promise<StrandedTaskRow[]>;
  blocked(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
  ): Promise<BlockedTaskRow[]>;
}
