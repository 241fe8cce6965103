import type { ClaimedTask, ClaimKey } from './claims.js';
import type { LeaseWrite } from './leases.js';

/** How to take a dead instance's claims. */
export interface TakeOrphans {
  readonly limit: number;
  readonly maxRecoveryAttempts: number;
  readonly cause: string;
  readonly orphanedForMs: number;
}

export interface TakenOrphan extends ClaimedTask {
  /** It has been taken from lost processes too often: claimed by who takes it, to be recorded as Failed. */
  readonly abandoned: boolean;
}

export interface RecoveryEventRow {
  readonly id: string;
  readonly executionId: string;
  readonly taskNo: number;
  /** Null when the execution is gone. */
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
  /** The id of the last one of the page before. */
  readonly before: string | null;
  readonly limit: number;
}

/** Tasks that this process has no handler for, of one definition and number. */
export interface StrandedTaskRow {
  readonly definitionId: string;
  readonly taskNo: number;
  readonly count: number;
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
