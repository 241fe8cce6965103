import type { ExecutionFilter } from '../execution-filter.js';
import type { ExecutionHandle } from '../execution-handle.js';

/**
 * Which executions a bulk call changes: at least one condition, or `all`. A condition that is given must not be undefined:
 * `{ workflow: undefined }` would otherwise mean every workflow.
 *
 * Only executions that exist at the call are changed. Of the statuses that `status` names, each call takes those that it can
 * change, and refuses others; without `status`, see the call.
 */
export interface BulkFilter extends Omit<ExecutionFilter, 'limit' | 'cursor' | 'maxRead'> {
  /** `true`: every execution of the tenant. Cannot be combined with a condition other than `status`. */
  all?: true;
}

/** Options of all bulk calls. */
export interface BulkOptions {
  /** Only counts the matching executions. Default: `false`. */
  dryRun?: boolean;
  /**
   * The largest number that a dry run counts, 1 to 100,000; `isCapped` tells whether there may be more. The database then looks at
   * a bounded number of executions. Default: all are counted.
   */
  cap?: number;
  /**
   * `true`: an execution of the built-in workflow `cloacina.bulk` does the work, and the call returns its handle. `false`:
   * the call does the work, and refuses more than 1,000 executions. Default: the call does it for up to 1,000 executions,
   * and the workflow for more.
   */
  background?: boolean;
}

/** Options of {@link CloacinaRunner.resumeMany}. */
export interface ResumeManyOptions extends BulkOptions {
  /** As for a single execution. */
  actor?: string;
}

/** Options of {@link CloacinaRunner.cancelMany} and {@link CloacinaRunner.pauseMany}. */
export interface ReasonedBulkOptions extends ResumeManyOptions {
  /** As for a single execution. */
  reason?: string;
}

/** Options of {@link CloacinaRunner.retryMany}. */
export interface RetryManyOptions extends ResumeManyOptions {
  /** As in {@link CloacinaRunner.retry}. Default: `keep`. */
  steps?: 'keep' | 'discard';
}

/** Options of {@link CloacinaRunner.signalMany}. */
export interface SignalManyOptions extends BulkOptions {
  /**
   * A key of 1 to 500 characters: an execution that has a signal with this name and key gets no other. So the call can be
   * repeated. Default: every call sends its own signals, each exactly once.
   */
  idempotencyKey?: string;
}

/** What a bulk call has done. */
export interface BulkResult {
  /** The number of executions that matched the filter. */
  matched: number;
  /** Whether more executions may match, because a dry run with `cap` stopped counting. Absent otherwise. */
  isCapped?: boolean;
  /**
   * The number of those that were changed. It is smaller if executions have changed their status in the meantime, or if
   * other sessions have held their rows for long.
   */
  changed: number;
}

/**
 * An execution of the workflow `cloacina.bulk`. Its result's context has `matched` and `changed`; while it runs, its task
 * reports `{ done, total }` as progress. To cancel it stops the work between two statements. Executions that were changed
 * before stay changed.
 */
export type BulkHandle = ExecutionHandle<BulkContext>;

/** The context of a bulk operation in the background, when it has completed. */
export interface BulkContext extends BulkResult {
  /** What the operation does. */
  operation: object;
}

/** What a bulk call returns: the result if the call did the work, otherwise the handle, which has an `id`. */
export type BulkReply<O extends BulkOptions> = O extends { readonly background: true }
  ? BulkHandle
  : O extends { readonly background: false } | { readonly dryRun: true }
    ? BulkResult
    : BulkResult | BulkHandle;
