import type { ClaimedTask, ClaimKey, TaskKey } from './claims.js';
import type { LeaseWrite } from './leases.js';

/** How to take the claims of a lost instance. */
export interface TakeOrphans {
  readonly limit: number;
  readonly maxRecoveryAttempts: number;
  readonly cause: string;
  readonly orphanedForMs: number;
}

/** A claim taken from a lost instance. */
export interface TakenOrphan extends ClaimedTask {
  /** Whether the task was lost too often. It is then claimed only to be recorded as Failed. */
  readonly abandoned: boolean;
}

export interface RecoveryEventRow extends TaskKey {
  readonly id: string;
  /** Null if the execution no longer exists. */
  readonly definitionId: string | null;
  readonly kind: string;
  readonly cause: string;
  readonly previousOwner: string;
  readonly orphanedForMs: number;
  readonly at: Date;
}

export interface RecoveryStatsRow {
  recovered: number;
  abandoned: number;
  successRate: number;
  timeToRecoverMs: { median: number; p95: number };
}

export interface RecoveryEventFilterRow {
  readonly executionId: string | null;
  readonly since: Date | null;
  /** Id of the last event of the previous page. */
  readonly before: string | null;
  readonly limit: number;
}

/** The number of waiting tasks of a definition with this task number for which this process has no handler. */
export interface StrandedTaskRow {
  readonly definitionId: string;
  readonly taskNo: number;
  readonly count: number;
}

export interface BlockedTaskRow extends TaskKey {
  readonly definitionId: string;
}

/** The state of a lost instance's lease when it was assessed. */
export interface JudgedLease {
  readonly over: boolean;
  readonly lockEpoch: string | null;
  readonly lockSession: string | null;
}

/** The last execution of a page of a search for claims. */
export interface ClaimSearchPosition {
  readonly status: string;
  /** As the store writes it. */
  readonly createdAt: string;
  readonly id: string;
}

/** What a page of a search for claims found. */
export interface ClaimSearch {
  /** Number of claims that could not be found by their owner, and can now. */
  readonly relisted: number;
  /** Undefined after the last page. */
  readonly last: ClaimSearchPosition | undefined;
}

/** The operations of recovery on a tenant's schema. */
export interface RecoveryStore {
  /**
   * Ends a lost instance's lease if the lease has not changed since it was assessed. The lease of a former instance of this
   * process is ended in any case. The caller that gets true owns the recovery.
   */
  endLease(instanceId: string, judged: JudgedLease | 'former'): Promise<boolean>;
  /** Takes the claims of an instance without a lease. */
  takeOrphans(instanceId: string, how: TakeOrphans, lease: LeaseWrite): Promise<TakenOrphan[]>;
  /** Takes claims of this process's own instance that the process does not know. */
  takeUnknown(
    claims: readonly ClaimKey[],
    how: TakeOrphans,
    lease: LeaseWrite,
  ): Promise<TakenOrphan[]>;
  /**
   * Searches a bounded page of the executions that are under way for Running tasks that the store can't find by their
   * owner, and makes them found again: by `claimsOf` and `takeOrphans`, and by a sweep if the owner has no lease.
   *
   * @param after - the end of the previous page; default: from the beginning
   */
  relistClaims(after?: ClaimSearchPosition): Promise<ClaimSearch>;
  /** The instances that a task was taken from, oldest first. */
  ownersOf(task: TaskKey): Promise<string[]>;
  /** @param cap - how many of the newest events are read; null for all */
  stats(since: Date | null, cap?: number | null): Promise<RecoveryStatsRow>;
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
