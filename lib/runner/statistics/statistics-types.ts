import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import type { StoredError } from '../../errors/index.js';
import type { ExecutionStatus } from '../../workflow/index.js';

/** A number that was counted up to a cap. */
export interface CappedCount {
  count: number;
  /** Whether there may be more: show it as `10,000+`. */
  isCapped: boolean;
}

/** The executions of a tenant by status. */
export interface StatusCounts {
  byStatus: Record<ExecutionStatus, CappedCount>;
  /**
   * Since when the oldest task is due that no process has claimed; tasks with a limit are left out, because they may wait for
   * their key. Absent: no task is due.
   */
  oldestDue?: Date;
}

/** Options of {@link CloacinaStatistics.counts}. */
export interface StatusCountOptions {
  /** The largest number that is counted, 1 to 100,000. Default: 10,000. */
  cap?: number;
}

/** Options of {@link CloacinaStatistics.series}. */
export interface SeriesOptions {
  /** The last hour in minutes, or the last day in quarters of an hour. */
  range: 'hour' | 'day';
  /** The class, name or definition of a workflow. Default: all workflows of the application. */
  workflow?: WorkflowRef;
}

/** Executions that were created in one part of the time, and what became of them. */
export interface SeriesBucket {
  /** The start of the bucket. */
  at: Date;
  /** The number of executions that were created. */
  started: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** From the beginning to the end of the Completed ones, in milliseconds. Null: there are none. */
  medianMs: number | null;
  /** As `medianMs`, of which 95 of 100 executions took no longer. */
  p95Ms: number | null;
}

/** Executions over time. */
export interface Series {
  /** The length of a bucket, in milliseconds. */
  bucketMs: number;
  /** The oldest first, without gaps. The last one is not over. */
  buckets: SeriesBucket[];
  /** The time since which all executions were read. Absent: all were read. */
  completeSince?: Date;
}

/** Options of {@link CloacinaStatistics.failures}. */
export interface FailureOptions {
  /** The class, name or definition of a workflow. Default: all workflows. */
  workflow?: WorkflowRef;
}

/** Failed executions with the same cause. */
export interface FailureGroup {
  /** The same for the same cause in every call. */
  id: string;
  workflow: string;
  /** The task whose failure ended the executions. Absent for a timeout of the workflow. */
  task?: string;
  /** The error of the newest execution. */
  error: StoredError;
  /** The message with `…` in place of numbers, ids and quoted values. Executions with the same message are one group. */
  message: string;
  count: number;
  /** When the first and the last of the executions ended. */
  firstAt: Date;
  lastAt: Date;
  /** The newest executions, at most 10. */
  examples: string[];
  /** The executions of the group, to be passed to `retryMany` or `list`. */
  filter: { ids: string[]; status: 'Failed' };
}

/** The causes of failures. */
export interface FailureGroups {
  /** The groups with the most executions first. */
  groups: FailureGroup[];
  /** Whether all Failed executions were read. If not, only the newest 2,000 were. */
  isComplete: boolean;
}
