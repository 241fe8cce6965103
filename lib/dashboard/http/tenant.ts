import type { ActionEntry } from '../../runner/action-entry.js';
import type { LimitState } from '../../runner/limit-state.js';
import type { Firing, TenantSchedule } from '../../runner/schedule.js';
import type { WorkflowGraph } from '../../runner/workflow-graph.js';
import type { ExecutionStatus } from '../../workflow/index.js';
import type { CappedCount, Page, Serialized } from './common.js';
import type { ValueView } from './executions.js';

/**
 * A schedule: response of `GET api/tenants/:tenant/schedules/:name`.
 *
 * Problem: 404 `UNKNOWN_SCHEDULE` if the tenant has no such schedule, as for all calls of one schedule.
 */
export type ScheduleRow = Omit<Serialized<TenantSchedule>, 'input'> & {
  /** The input of its executions. Absent if it has none. */
  input?: ValueView;
};

/**
 * Response of `GET api/tenants/:tenant/schedules?workflow=…&state=…&limit=50&after=…`: schedules by name. `state` is `active`,
 * `paused`, `ended` or `broken`, `limit` is 1 to 200. Default: 50. `nextCursor` is the `after` of the next call.
 */
export type SchedulesResponse = Page<ScheduleRow>;

/**
 * What a schedule did, the latest first: response of `GET …/schedules/:name/firings?before=…&limit=50`. `before` selects firings
 * for times before it, in ISO 8601. Default: all. `limit` is 1 to 200. Default: 50.
 */
export type FiringsResponse = { firings: Serialized<Firing>[] };

/**
 * The next times of a schedule, without jitter: response of `GET …/schedules/:name/preview?count=10`. `count` is 1 to 100.
 * Default: 10.
 */
export type PreviewResponse = { times: string[] };

/** Response of `GET api/tenants/:tenant/workflows`: all workflows, by name. */
export interface WorkflowsResponse {
  /** The workflows of the running code, and others with executions that are not Completed. */
  items: WorkflowRow[];
}

/** A workflow of a tenant: one of the running code, or one with executions. */
export interface WorkflowRow {
  /** The name of the workflow. */
  name: string;
  /** The graph as the running code has it. Absent if this process does not serve the workflow. */
  graph?: WorkflowGraph;
  /** Why and since when it is paused as a whole. Absent if it is not. */
  paused?: { reason?: string; since: string };
  /**
   * The number of its executions with each status except Completed, among the newest 10,000 executions of the tenant with this
   * status.
   */
  counts: Record<Exclude<ExecutionStatus, 'Completed'>, CappedCount>;
}

/** A definition of a workflow: a release whose graph, rules or limits differ from those of the one before. */
export interface VersionRow {
  /** The id of the definition, the same in all tenants and on all servers. */
  definitionId: string;
  /** The `version` of the workflow. Absent without one. */
  version?: string;
  /** When a process with this definition has registered it last: it was not the newest one then. */
  registeredAt: string;
  /** The first start after `registeredAt` that is still stored. Absent if none is found. */
  firstStartedAt?: string;
  /** The last start, or that before the next definition was registered. Absent if none is found. */
  lastStartedAt?: string;
  /** The number of its executions that have not ended, among the oldest 10,000 of the tenant with each status. */
  open: CappedCount;
}

/**
 * Response of `GET api/tenants/:tenant/workflows/:workflow/versions`: the newest 20 definitions, and others with executions that have
 * not ended. Empty for a workflow that the tenant does not know.
 */
export interface VersionsResponse {
  /** The definitions, that which was registered last first. */
  versions: VersionRow[];
}

/** A key of a limit. */
export type LimitRow = Serialized<LimitState>;

/**
 * Response of `GET api/tenants/:tenant/limits?name=…&full=true&limit=50&cursor=…`: keys by name and key. With `full=true`, only keys
 * that can begin no task now: about 2,000 keys are looked at, so a page may have fewer keys than `limit` before the last one.
 */
export type LimitsResponse = Page<LimitRow>;

/** A call that has changed a workflow or a schedule, and who made it. */
export type ActionRow = Serialized<ActionEntry>;

/**
 * Response of `GET api/tenants/:tenant/actions?subject=…&actor=…&before=…&limit=…`: the latest first, of one workflow or schedule
 * (`subject`), of one user (`actor`). `nextCursor` is the `before` of the next call.
 */
export type ActionsResponse = Page<ActionRow>;
