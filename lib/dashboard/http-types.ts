import type {
  ExecutionParent,
  ExecutionSummary,
  ExecutionUpdate,
  ExecutionWaiting,
  TaskDetails,
} from '../runner/execution.js';
import type { ExecutionExplanation, ServingProcess } from '../runner/explain/explanation.js';
import type { ExecutionTree } from '../runner/execution-tree.js';
import type { HistoryEntry } from '../runner/history-entry.js';
import type { LimitState } from '../runner/limit-state.js';
import type { Firing, TenantSchedule } from '../runner/schedule.js';
import type { WorkflowGraph } from '../runner/workflow-graph.js';
import type { ExecutionStatus, TaskStatus } from '../workflow/index.js';
import type { ItemResult } from '../discovery/map-options.js';
import type { StoredError } from '../errors/index.js';

/** A value as JSON carries it: dates are ISO texts. */
export type Serialized<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Serialized<U>[]
    : T extends object
      ? { [K in keyof T]: Serialized<T[K]> }
      : T;

/** A page of something. */
export interface Page<T> {
  items: T[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
}

/** The body of every response with a status of 400 and above (`application/problem+json`, RFC 9457). */
export interface Problem {
  type: 'about:blank';
  /** The name of the status, such as `Not found`. */
  title: string;
  status: number;
  /** A sentence for people. */
  detail: string;
  /** The stable code of the library, such as `UNKNOWN_EXECUTION`; `FORBIDDEN`, `NOT_FOUND` and the like for others. */
  code: string;
}

/** `GET api/session`: what this user may do. */
export interface Session {
  /** Who it is, by the option `actor`. */
  actor?: string;
  /** Whether actions are refused. */
  readOnly: boolean;
  /** The number of tenants that the user may see. */
  tenants: number;
  /** The names of the first 1,000 of them, in order. */
  tenantNames: string[];
  /** The time between two reads of a page without server-sent events, in milliseconds. */
  pollMs: number;
}

/** A number that was counted up to a cap: `isCapped` means "this many or more", as `10,000+`. */
export interface CappedCount {
  count: number;
  isCapped: boolean;
}

/** Executions by status. */
export type StatusCounts = Record<ExecutionStatus, CappedCount>;

/** A tenant at a moment. */
export interface TenantOverview {
  tenant: string;
  /** Absent: the tenant could not be read; see `problem`. */
  counts?: StatusCounts;
  /** Since when the oldest due task waits. Absent: none waits. */
  oldestDue?: string;
  /** The number of workflows that are paused as a whole. */
  pausedWorkflows: number;
  /** Why the tenant could not be read, or what is wrong with it. */
  problem?: string;
  /** When it was read. */
  asOf: string;
}

/** Executions that were created in one part of the time. */
export interface SeriesBucket {
  /** The start of the bucket. */
  at: string;
  started: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** From the start to the end of the completed ones, in milliseconds. Null: none. Of several tenants, the largest. */
  medianMs: number | null;
  p95Ms: number | null;
}

/** `GET api/series?range=hour|day&tenant=…` */
export interface Series {
  range: 'hour' | 'day';
  bucketMs: number;
  /** The oldest first; buckets without executions are there too. */
  buckets: SeriesBucket[];
  /** False: there were so many executions that only the newest were read, since `completeSince`. */
  isComplete: boolean;
  completeSince?: string;
}

/** `GET api/overview`, and the event `overview` of the stream. */
export interface Overview {
  at: string;
  /** Over all tenants that the user may see. */
  counts: StatusCounts;
  tenants: number;
  /** How many of them were read. The others follow, in the next event or call. */
  tenantsRead: number;
  /** The tenants with most to look at first: trouble, failures, running; at most 50. `GET api/tenants` has all. */
  busiest: TenantOverview[];
  /** The number of tenants that could not be read, or have a problem. */
  inTrouble: number;
  /** The oldest due task of them all. */
  oldestDue?: { tenant: string; dueSince: string };
  series: Series;
  /** Recoveries of the last 24 hours. */
  recoveries: { recovered: number; abandoned: number };
  processes: ProcessRow[];
}

/** A living process, and the tenants of it that the user may see. */
export interface ProcessRow extends Omit<Serialized<ServingProcess>, 'serves' | 'claimed'> {
  /** The number of tasks that it has claimed in the tenants that the user may see. */
  claimed: number;
  /** The names of its workflows, over these tenants. */
  serves: string[];
  /** The number of these tenants, and the first 20 of them. */
  tenants: number;
  tenantNames: string[];
}

/** An execution in a list. */
export interface ExecutionRow extends Serialized<ExecutionSummary> {
  tenant: string;
}

/** Query of `GET api/tenants/:tenant/executions`; `status`, `tag` may be repeated. */
export interface ExecutionQuery {
  workflow?: string;
  status?: ExecutionStatus | ExecutionStatus[];
  /** `name:value`; all of them have to match. */
  tag?: string | string[];
  createdAfter?: string;
  createdBefore?: string;
  idempotencyKey?: string;
  waitingFor?: string;
  parent?: string;
  root?: string;
  /** 1 to 200. Default: 50. */
  limit?: number;
  cursor?: string;
}

/**
 * A value that a handler wrote. Large ones are cut: `GET …/executions/:id/values/:name` has the whole value. It is text of
 * strangers: show it as text, never as markup.
 */
export type ValueView =
  | { bytes: number; kind: 'json'; value: unknown }
  | { bytes: number; kind: 'cut'; preview: string }
  | { kind: 'redacted' };

/** A task of an execution with cut values. */
export interface TaskRow extends Omit<Serialized<TaskDetails>, 'progress'> {
  progress?: { value: ValueView; updatedAt: string };
}

/** `GET api/tenants/:tenant/executions/:id` */
export interface ExecutionResponse extends Omit<ExecutionRow, 'waitingFor' | 'parent'> {
  waitingFor?: Serialized<ExecutionWaiting>;
  parent?: ExecutionParent;
  /** The final context if the execution has ended, otherwise the context so far, by key. */
  context: Record<string, ValueView>;
  tasks: TaskRow[];
  /** The graph of the running code's workflow. Absent if this process does not serve it. Compare the names of the tasks. */
  graph?: WorkflowGraph;
  /** Which actions its status allows now, and the user may do. */
  actions: ExecutionAction[];
}

export type ExecutionAction = 'cancel' | 'pause' | 'resume' | 'retry' | 'signal';

/** `GET …/executions/:id/history` */
export type HistoryResponse = { entries: Serialized<HistoryEntry>[] };
/** `GET …/executions/:id/explain` */
export type ExplainResponse = Serialized<ExecutionExplanation>;
/** `GET …/executions/:id/tree` */
export type TreeResponse = ExecutionTree;
/** `GET …/executions/:id/values/:name`: a whole value of the context. */
export interface ValueResponse {
  name: string;
  value: unknown;
}
/** `GET …/executions/:id/items/:task?status=Failed&limit=100&after=99`; `nextCursor` is the next `after`. */
export type ItemsResponse = Page<
  Omit<Serialized<ItemResult>, 'item' | 'value'> & {
    item: ValueView;
    value?: ValueView;
    status: TaskStatus;
  }
>;
/** The event `execution` of `GET …/executions/:id/events`. */
export interface ExecutionEvent extends Omit<Serialized<ExecutionUpdate>, 'tasks'> {
  tenant: string;
  tasks: TaskRow[];
}

/** Failed executions with the same cause: workflow, task, name and code of the error, and the message without numbers and ids. */
export interface FailureGroupRow {
  /** Names the group in `POST api/tenants/:tenant/failures/:group/retry`. */
  id: string;
  tenant: string;
  workflow: string;
  /** The task whose failure ended the executions. Absent for a timeout of the workflow. */
  task?: string;
  error: Pick<StoredError, 'name' | 'code' | 'message'>;
  /** The message with `…` in place of numbers, ids and quoted values. */
  message: string;
  count: number;
  firstAt: string;
  lastAt: string;
  /** The newest executions, at most 10. */
  examples: string[];
}

/** `GET api/failures?tenant=…&workflow=…` */
export interface FailuresResponse {
  /** The groups with the most executions first. */
  groups: FailureGroupRow[];
  /** False: a tenant has more Failed executions than were read, or not all tenants were read. The counts are lower limits. */
  isComplete: boolean;
}

/** `GET api/tenants/:tenant/schedules?after=…&limit=…&state=…&workflow=…`; `nextCursor` is the next `after`. */
export type ScheduleRow = Omit<Serialized<TenantSchedule>, 'input'> & { input?: ValueView };
/** `GET …/schedules/:name/firings?before=…&limit=…`: the latest first. */
export type FiringsResponse = { firings: Serialized<Firing>[] };
/** `GET …/schedules/:name/preview?count=10`: the next times. */
export type PreviewResponse = { times: string[] };

/** `GET api/tenants/:tenant/workflows` */
export interface WorkflowRow {
  name: string;
  /** Absent: the code of this process does not have the workflow any more. */
  graph?: WorkflowGraph;
  paused?: { reason?: string; since: string };
  /** Executions that are not Completed. */
  counts: Partial<Record<ExecutionStatus, number>>;
}

/** `GET api/tenants/:tenant/limits?name=…&full=true&cursor=…` */
export type LimitRow = Serialized<LimitState>;

/** What an action changed. */
export interface ActionResponse {
  /** The execution or the operation that the action started: `runNow`, and large bulk actions and backfills. */
  executionId?: string;
  /** How many executions (times, for a backfill) match, and how many were changed. For bulk actions. */
  matched?: number;
  changed?: number;
}

/*
 * Actions. All are POST with a JSON body (`content-type: application/json`, `{}` if there is nothing to say) and the header
 * `x-cloacina-action: 1`. Response: ActionResponse.
 */

/** `POST …/executions/:id/cancel`, `…/pause`; `…/resume` without a reason. */
export interface ReasonBody {
  reason?: string;
  /** Also the executions under it, for pause and resume. */
  tree?: boolean;
}
/** `POST …/executions/:id/retry` */
export interface RetryBody {
  steps?: 'keep' | 'discard';
  items?: 'failed' | 'all';
}
/** `POST …/executions/:id/signal` */
export interface SignalBody {
  name: string;
  payload: unknown;
  idempotencyKey?: string;
}
/** `POST api/tenants/:tenant/bulk`: by filter. With `dryRun`, only `matched` is counted. */
export interface BulkBody {
  action: 'cancel' | 'pause' | 'resume' | 'retry';
  /** At least one condition, or `all: true`. Not `limit` and `cursor`. */
  filter: Omit<ExecutionQuery, 'limit' | 'cursor'> & { all?: true };
  dryRun?: boolean;
  reason?: string;
}
/** `POST api/tenants/:tenant/failures/:group/retry` */
export interface RetryGroupBody {
  dryRun?: boolean;
}
/** `POST …/schedules/:name/run`, `/pause` (reason), `/resume` (catchUp), `/backfill`. */
export interface ScheduleBody {
  reason?: string;
  catchUp?: 'skip' | 'once';
}
export interface BackfillBody {
  from: string;
  to: string;
  overlap?: 'allow' | 'queue' | 'skip';
  dryRun?: boolean;
}

/** The event `changed` of `GET api/events`: executions that this process has seen change. At most one event a second. */
export interface ChangedEvent {
  tenant: string;
  /** The newest; at most 50. */
  executions: string[];
}
