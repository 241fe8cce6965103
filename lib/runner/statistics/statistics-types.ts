import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import type { StoredError } from '../../errors/index.js';
import type { ExecutionStatus } from '../../workflow/index.js';

/** A number that was counted up to a cap. */
export interface CappedCount {
  /** The exact number, or a lower limit if `isCapped` is true. */
  count: number;
  /** Whether the count stopped before it had counted all: show it as `10,000+`. */
  isCapped: boolean;
}

/** The number of executions of a tenant with each status: result of {@link CloacinaStatistics.counts}. */
export interface StatusCounts {
  /** The number of executions with each status; 0 for a status without executions. */
  byStatus: Record<ExecutionStatus, CappedCount>;
  /**
   * Since when the oldest task is due that no process has claimed. Tasks with a limit are left out, because they may wait for
   * their key. Absent if no task is due.
   */
  oldestDue?: Date;
}

/** Options of {@link CloacinaStatistics.counts}. */
export interface StatusCountOptions {
  /** The largest number that is counted, 1 to 100,000. Default: 10,000. */
  cap?: number;
}

/** Options of {@link CloacinaStatistics.byWorkflow}. */
export interface WorkflowCountOptions {
  /** How many executions of each status are read, the newest, 1 to 100,000. Default: 10,000. */
  cap?: number;
}

/** The statuses that {@link CloacinaStatistics.byWorkflow} counts. */
export type NotCompletedStatus = Exclude<ExecutionStatus, 'Completed'>;

/** The executions of a workflow that are not Completed. */
export interface CappedWorkflowCounts {
  workflow: string;
  byStatus: Record<NotCompletedStatus, CappedCount>;
}

/** Executions by workflow and status. */
export interface CountsByWorkflow {
  /** By name: the workflows with an execution that was read. */
  workflows: CappedWorkflowCounts[];
  /** The statuses of which the tenant has more executions than were read. Their counts are lower limits for all workflows. */
  capped: NotCompletedStatus[];
}

/** Options of {@link CloacinaStatistics.series}. */
export interface SeriesOptions {
  /** `hour`: the last hour in buckets of a minute. `day`: the last day in buckets of a quarter of an hour. */
  range: 'hour' | 'day';
  /** The class, name or definition of a workflow. Default: all workflows of the application. */
  workflow?: WorkflowRef;
}

/** The executions that were created in one part of the time. */
export interface SeriesBucket {
  /** The begin of this part of the time. */
  at: Date;
  /** The number of executions that were created in it. */
  started: number;
  /** How many of these are Completed by now. */
  completed: number;
  /** How many of these are Failed by now. */
  failed: number;
  /** How many of these are Cancelled by now. */
  cancelled: number;
  /**
   * The median duration of the Completed ones, from the begin of their first task to their end, in milliseconds. Null if none is
   * Completed.
   */
  medianMs: number | null;
  /** The 95th percentile of the same durations, in milliseconds. Null if none is Completed. */
  p95Ms: number | null;
}

/** Executions over time: result of {@link CloacinaStatistics.series}. */
export interface Series {
  /** The length of a bucket, in milliseconds. */
  bucketMs: number;
  /** The buckets, the oldest first, also those without executions. The last one is not over. */
  buckets: SeriesBucket[];
  /** The time since which all executions were read, if there were too many to read them all. Absent if all were read. */
  completeSince?: Date;
}

/** Options of {@link CloacinaStatistics.failures}. */
export interface FailureOptions {
  /** The class, name or definition of a workflow. Default: all workflows. */
  workflow?: WorkflowRef;
}

/** Failed executions with the same cause. */
export interface FailureGroup {
  /** Names the cause. The same for the same cause in every call. */
  id: string;
  /** The name of the workflow. */
  workflow: string;
  /** The task whose failure ended the executions. Absent for a timeout of the workflow. */
  task?: string;
  /** The error of the newest execution. */
  error: StoredError;
  /** The message with `…` in place of numbers, ids and quoted values. Executions with the same message are one group. */
  message: string;
  /** The number of executions. */
  count: number;
  /** When the first of the executions ended. */
  firstAt: Date;
  /** When the last of the executions ended. */
  lastAt: Date;
  /** The ids of the newest executions, at most 10. */
  examples: string[];
  /** The executions of the group, to be passed to `retryMany` or `list`. */
  filter: { ids: string[]; status: 'Failed' };
}

/** The causes of failures: result of {@link CloacinaStatistics.failures}. */
export interface FailureGroups {
  /** The groups with the most executions first. */
  groups: FailureGroup[];
  /** Whether all Failed executions were read. If not, only the newest were: see {@link CloacinaStatistics.failures}. */
  isComplete: boolean;
}

/** Options of {@link CloacinaStatistics.versions}. */
export interface VersionsOptions {
  /** The class, name or definition of the workflow. */
  workflow: WorkflowRef;
}

/** A definition of a workflow: a release whose graph, rules or limits differ from those of the one before. */
export interface WorkflowVersion {
  /** The id of the definition, the same in all tenants and on all servers. */
  definitionId: string;
  /** The `version` of the workflow. Absent without one. */
  version?: string;
  /** When a process with this definition has registered it last: it was not the newest one then. */
  registeredAt: Date;
  /** The first start after `registeredAt` that is still stored. Absent if none is among the first 100 starts after it. */
  firstStartedAt?: Date;
  /**
   * The last start. If it is not among the newest 10,000 of the workflow, the last one before the next definition was registered.
   * Absent if none is found.
   */
  lastStartedAt?: Date;
  /** The number of its executions that have not ended, among the oldest 10,000 of the tenant with each status. */
  open: CappedCount;
}

/** The definitions of a workflow: result of {@link CloacinaStatistics.versions}. */
export interface WorkflowVersions {
  /** That which was registered last first: the newest 20, and others with executions that have not ended; at most 40. */
  versions: WorkflowVersion[];
}
