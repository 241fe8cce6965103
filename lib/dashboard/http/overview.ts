import type { ServingProcess } from '../../runner/explain/explanation.js';
import type { MoveProgress } from '../../tenants/moving/move-options.js';
import type { ExecutionStatus } from '../../workflow/index.js';
import type { CappedCount, Page, Serialized } from './common.js';

/** The number of executions with each status. */
export type StatusCounts = Record<ExecutionStatus, CappedCount>;

/** The state of a tenant: a row of a list, and the response of `GET api/tenants/:tenant`. */
export interface TenantOverview {
  /** The name of the tenant. */
  tenant: string;
  /** The name of its server. Absent without the option `servers` of forRoot. */
  server?: string;
  /** The number of executions with each status. Absent if the tenant has not been read yet, or could not be read. */
  counts?: StatusCounts;
  /** Since when the oldest due task waits for a process. Absent if no task is due. Tasks with a limit do not count. */
  oldestDue?: string;
  /** The number of workflows that are paused as a whole. */
  pausedWorkflows: number;
  /** Its move to another server. Absent if it does not move. */
  move?: TenantMoveRow;
  /**
   * The servers with a copy that a move has left there, until `finishMove` drops it. Absent without one, and if the user may not see
   * these servers.
   */
  leftOn?: string[];
  /** What is wrong with the tenant, or why it could not be read, as a sentence. Absent if nothing is wrong. */
  problem?: string;
  /** When the tenant was read. */
  asOf: string;
}

/** A move of a tenant to another server that is not complete. */
export interface TenantMoveRow {
  /**
   * `copying`: its rows are copied, and it works as usual. `stopping`: its work has stopped until the move ends or is undone.
   * `moved`: it lives on the other server, where the process that answers does not serve it yet. `arriving`: it is served from a
   * copy that is not complete.
   */
  state: 'copying' | 'stopping' | 'moved' | 'arriving';
  /** The name of the other server. Absent if the user may see some tenants only, and none of these lives there. */
  peer?: string;
  /** Since when the move is in this state. */
  since: string;
  /** Whether no process carries the move out. `problem` of the tenant says what to do. */
  isInterrupted: boolean;
  /** When the processes of the tenant undo a stop whose mover has ended. Absent in other states. */
  undoneAt?: string;
  /** How far the move is. Absent if another process moves the tenant. */
  progress?: Serialized<MoveProgress>;
}

/**
 * Response of `GET api/tenants?search=…&limit=50&after=…`: tenants by name. `search` is a part of the name; upper and lower
 * case do not count. `limit` is 1 to 200. Default: 50. `nextCursor` is the `after` of the next call.
 */
export type TenantsResponse = Page<TenantOverview>;

/** The executions that were created in one part of the time. */
export interface SeriesBucket {
  /** The begin of this part of the time. */
  at: string;
  /** The number of executions that were created in it. */
  started: number;
  /** How many of these are Completed by now. */
  completed: number;
  /** How many of these are Failed by now. */
  failed: number;
  /** How many of these are Cancelled by now. */
  cancelled: number;
  /**
   * The median duration of the Completed ones, from the begin of their first task to their end, in milliseconds. Of several
   * tenants, the largest of their medians. Null if none is Completed.
   */
  medianMs: number | null;
  /** The 95th percentile of the same durations, in milliseconds. Of several tenants, the largest. Null if none is Completed. */
  p95Ms: number | null;
}

/**
 * Executions over time.
 *
 * Response of `GET api/series?range=hour&tenant=…&workflow=…`. `range` is `hour` (60 buckets of a minute) or `day` (96 buckets
 * of a quarter of an hour). Default: `hour`. `tenant` may be repeated. Default: all tenants that the user may see.
 */
export interface Series {
  /** The range that was asked for. */
  range: 'hour' | 'day';
  /** The length of a bucket, in milliseconds. */
  bucketMs: number;
  /** The buckets, the oldest first, also those without executions. The last one is not over. */
  buckets: SeriesBucket[];
  /** Whether all tenants and all of their executions were read. If not, the numbers are lower limits. */
  isComplete: boolean;
  /** The time since which all executions were read, if there were too many to read them all; see `runner.statistics`. */
  completeSince?: string;
}

/**
 * All tenants that the user may see, as one page.
 *
 * Response of `GET api/overview`, and the data of the event `overview` of `GET api/events`.
 */
export interface Overview {
  /** When the page was made. */
  at: string;
  /** The sums over the tenants that were read. */
  counts: StatusCounts;
  /** The number of tenants that the user may see. */
  tenants: number;
  /** How many of them were read. The next event, or the next call, has more of them. */
  tenantsRead: number;
  /** The tenants to look at first, at most 50: those with a problem, then by Failed and by Running executions. */
  busiest: TenantOverview[];
  /** The number of tenants with a `problem`. */
  inTrouble: number;
  /** The tenant with the oldest due task, and since when that is due. Absent if no task is due. */
  oldestDue?: { tenant: string; dueSince: string };
  /** The last hour of all tenants together. */
  series: Series;
  /**
   * The tasks of lost processes in the last 24 hours: taken over, and given up because they were lost too often. Of each tenant, the
   * newest 10,000 are read: with `isCapped`, there may be more.
   */
  recoveries: { recovered: number; abandoned: number; isCapped: boolean };
  /** The living processes, that which answers first. */
  processes: ProcessRow[];
}

/**
 * A living process, as far as it serves tenants that the user may see.
 *
 * If a process is in different states in its tenants, `state` is one of
 * those in which it claims nothing.
 */
export interface ProcessRow extends Omit<Serialized<ServingProcess>, 'serves' | 'claimed'> {
  /** The number of tasks that it has claimed in these tenants, running or about to run. */
  claimed: number;
  /** The names of the workflows that it serves in these tenants. */
  serves: string[];
  /** The number of these tenants. */
  tenants: number;
  /** The names of these tenants; of more than 20, the first 20. */
  tenantNames: string[];
}

/** Response of `GET api/processes`: all processes. */
export interface ProcessesResponse {
  /** The living processes, that which answers first. */
  items: ProcessRow[];
}

/**
 * Executions that have changed, as far as the process that answers knows.
 *
 * The data of the event `changed` of `GET api/events`. A tenant has at most one such event in two seconds. Without an event for
 * 15 seconds the stream sends `ping`.
 */
export interface ChangedEvent {
  /** The name of the tenant. */
  tenant: string;
  /** The ids of the executions that changed last, the latest first; at most 50. Empty if the change concerns none. */
  executions: string[];
}
