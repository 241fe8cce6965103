/** The number of executions with a status, counted up to a cap. */
export interface CappedStatusCount {
  readonly status: string;
  readonly count: number;
  /** Whether there may be more. */
  readonly isCapped: boolean;
}

export interface CappedCounts {
  /** Statuses without executions may be left out. */
  readonly counts: readonly CappedStatusCount[];
  /** Since when the oldest task has been due that has no limit and that no process has claimed. Null: none is due. */
  readonly oldestDue: Date | null;
}

/** The executions of a workflow with one status, among the newest of all workflows. */
export interface WorkflowStatusCount {
  readonly workflow: string;
  readonly status: string;
  readonly count: number;
}

export interface WorkflowCountsReply {
  readonly counts: readonly WorkflowStatusCount[];
  /** The statuses of which there are more executions than were read. Their counts are lower limits. */
  readonly capped: readonly string[];
}

/** Executions by the time of their creation. */
export interface SeriesQuery {
  /** The start of the first bucket, in milliseconds. */
  readonly from: number;
  readonly bucketMs: number;
  /** Null: of all workflows. */
  readonly workflow: string | null;
  /** How many executions of each workflow are read, the newest. */
  readonly cap: number;
}

/** The executions that were created in one bucket, at least one. */
export interface SeriesRow {
  /** The number of the bucket, from 0. */
  readonly bucket: number;
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** From the start to the end of the Completed ones, in milliseconds. Null: none. */
  readonly medianMs: number | null;
  readonly p95Ms: number | null;
}

export interface SeriesReply {
  readonly rows: readonly SeriesRow[];
  /** The time since which all were read; null if all were. */
  readonly completeSince: Date | null;
}

/** Which definitions of a workflow are read. */
export interface VersionsQuery {
  readonly workflow: string;
  /** How many executions of each status are read, the oldest. */
  readonly cap: number;
  /** How many of the newest definitions are read. Older ones are read if they have executions that have not ended. */
  readonly limit: number;
}

/** A definition of a workflow. */
export interface VersionRow {
  readonly definitionId: string;
  readonly version: string | null;
  readonly registeredAt: Date;
  /** The first start after the registration. Null: none is known. */
  readonly firstStartedAt: Date | null;
  /** Null: none is known. */
  readonly lastStartedAt: Date | null;
  /** The number of its executions that have not ended. */
  readonly open: number;
  /** Whether there may be more of them. */
  readonly isCapped: boolean;
}

/** Counts of executions. Each read has a bound, whatever the size of the tables. */
export interface StatisticsStore {
  /** The executions of each status, without those of the library's own workflows. */
  counts(cap: number): Promise<CappedCounts>;
  /**
   * The executions by workflow and status, of each status the newest `cap`. Completed ones are left out, and those of the library's
   * own workflows.
   */
  byWorkflow(cap: number): Promise<WorkflowCountsReply>;
  series(query: SeriesQuery): Promise<SeriesReply>;
  /** The definitions of a workflow, that which was registered last first; at most twice the limit. */
  versions(query: VersionsQuery): Promise<VersionRow[]>;
}
