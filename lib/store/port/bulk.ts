import type { CancelledChild } from './children.js';
import type { LockedExecution, ResetDecision } from './control.js';
import type { ExecutionListFilter } from './executions.js';

/** What is done with many executions in one statement. */
export type BulkAction = 'cancel' | 'pause' | 'resume';

/** A place in the order of a bulk operation, newest first. */
export interface BulkPosition {
  readonly createdAtMicros: string;
  readonly id: string;
}

/** Which executions a bulk operation is about. It leaves out the library's own workflows unless `workflow` is one. */
export interface BulkFilter extends Omit<ExecutionListFilter, 'limit' | 'after'> {
  /** Whether only executions without a parent count. */
  readonly isTop: boolean;
}

/** An execution that the action has changed. */
export type ChangedExecution = CancelledChild;

export interface BulkReply {
  readonly changed: readonly ChangedExecution[];
  /** Executions that may still change: rows of them are locked, or the statement had reached its bound. */
  readonly left: readonly string[];
}

export interface BulkDeletion {
  /** Executions at the top of the trees that were deleted. */
  readonly deleted: readonly string[];
  /** As in {@link BulkReply}. */
  readonly left: readonly string[];
}

/** An ended execution that a manual retry of many has locked. */
export interface LockedForRetry extends LockedExecution {
  readonly id: string;
}

/** An execution that was reset, and in how many milliseconds it is due; 0 or less for now. */
export interface ResetExecution {
  readonly id: string;
  readonly dueInMs: number;
}

export interface BulkReset {
  readonly reset: readonly ResetExecution[];
  /** As in {@link BulkReply}. */
  readonly left: readonly string[];
}

/** The number of executions up to a cap. */
export interface BulkCount {
  readonly count: number;
  /** Whether there may be more. */
  readonly isCapped: boolean;
}

/** Operations on many executions. No statement waits for a lock. */
export interface BulkStore {
  /** The place before all executions that exist at this moment, and behind all that start later. */
  now(): Promise<BulkPosition>;
  /** The next executions behind a place. */
  find(filter: BulkFilter, after: BulkPosition, limit: number): Promise<BulkPosition[]>;
  /** The number of executions behind a place. */
  count(filter: BulkFilter, after: BulkPosition): Promise<number>;
  /** The same up to `cap`, and among the newest executions only: about `maxRead` of them are looked at. */
  countWithin(
    filter: BulkFilter,
    after: BulkPosition,
    bounds: { readonly cap: number; readonly maxRead: number },
  ): Promise<BulkCount>;
  /**
   * Does the same with up to {@link MAX_BULK} executions. Those whose status does not allow it are neither changed nor left.
   *
   * @param reason - of a cancel or a pause
   * @param actor - who asks for it, for the history
   */
  control(
    action: BulkAction,
    ids: readonly string[],
    reason: string | null,
    actor?: string | null,
  ): Promise<BulkReply>;
  /**
   * Deletes up to {@link MAX_BULK} executions with everything that belongs to them, and with all executions under them. A
   * tree is deleted as a whole: if one of its executions has not ended, or its end has something left to bring about, all
   * stay, and it is not left either. The same holds for an execution with a parent.
   */
  delete(ids: readonly string[]): Promise<BulkDeletion>;
  /**
   * Locks up to {@link MAX_BULK} ended executions with their tasks, calls `decide` for each, and resets the tasks that it
   * returns, as `ControlStore.reset` does with one; null resets nothing of it. All of them or none are reset.
   */
  reset(
    ids: readonly string[],
    decide: (execution: LockedForRetry) => Promise<ResetDecision | null>,
  ): Promise<BulkReset>;
}

/** Maximum number of executions in one bulk statement. */
export const MAX_BULK = 100;
