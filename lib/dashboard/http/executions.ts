import type { ItemResult } from '../../discovery/map-options.js';
import type {
  ExecutionParent,
  ExecutionSummary,
  ExecutionUpdate,
  ExecutionWaiting,
  TaskDetails,
} from '../../runner/execution.js';
import type { ExecutionTree } from '../../runner/execution-tree.js';
import type { ExecutionExplanation } from '../../runner/explain/explanation.js';
import type { HistoryEntry } from '../../runner/history-entry.js';
import type { WorkflowGraph } from '../../runner/workflow-graph.js';
import type { ExecutionStatus, TaskStatus } from '../../workflow/index.js';
import type { Page, Serialized } from './common.js';

/** An execution in a list. */
export interface ExecutionRow extends Serialized<ExecutionSummary> {
  /** The name of its tenant. */
  tenant: string;
}

/**
 * Query of `GET api/tenants/:tenant/executions`. An execution has to
 * meet all conditions. Without conditions all executions are listed.
 *
 * Problem: 400 `INVALID_ARGUMENT` for an invalid condition, limit or cursor.
 */
export interface ExecutionQuery {
  /** The name of the workflow. */
  workflow?: string;
  /** The status, or several of which it has one. May be repeated. */
  status?: ExecutionStatus | ExecutionStatus[];
  /** A tag as `name:value`, or several all of which it has. May be repeated. */
  tag?: string | string[];
  /** The time after which it was created, in ISO 8601. */
  createdAfter?: string;
  /** The time before which it was created, in ISO 8601. */
  createdBefore?: string;
  /** Its idempotency key. */
  idempotencyKey?: string;
  /** The name of a signal or an event that it waits for. */
  waitingFor?: string;
  /** The id of its parent. */
  parent?: string;
  /** The id of the execution at the top of its tree. */
  root?: string;
  /** The size of the page, 1 to 200. Default: 50. */
  limit?: number;
  /** The `nextCursor` of the page before. Default: the first page. */
  cursor?: string;
}

/**
 * Response of `GET api/tenants/:tenant/executions`: the newest first.
 *
 * About 10,000 executions are looked at for a page. Of a filter that few executions match, a page may have fewer than `limit` of
 * them, or none, and a `nextCursor`: the next page goes on from there.
 */
export type ExecutionsResponse = Page<ExecutionRow>;

/**
 * A value that a handler wrote.
 *
 * - `json`: the whole value. `bytes` is the size of its JSON. Secrets in it are replaced by `[redacted]`.
 * - `cut`: a value that is too large for the page. `preview` is the begin of its JSON text.
 *   `GET …/executions/:id/values/:name` has the whole value of a context.
 * - `redacted`: a value under the name of a secret, such as `password`, or one that the option `redact` names.
 *
 * Handlers write these values, so they may contain anything: show them as text, never as markup.
 */
export type ValueView =
  | { bytes: number; kind: 'json'; value: unknown }
  | { bytes: number; kind: 'cut'; preview: string }
  | { kind: 'redacted' };

/** A task of an execution. */
export interface TaskRow extends Omit<Serialized<TaskDetails>, 'progress'> {
  /** The progress that its latest run has reported. Absent if it has reported none, and after its end. */
  progress?: { value: ValueView; updatedAt: string };
}

/**
 * An execution with its tasks and its values: response of `GET api/tenants/:tenant/executions/:id`.
 *
 * Problem: 404 `UNKNOWN_EXECUTION` if the tenant has no such execution, as for all calls of one execution.
 */
export interface ExecutionResponse extends Omit<ExecutionRow, 'waitingFor' | 'parent'> {
  /** What it waits for. Present if it has not ended and none of its tasks runs. */
  waitingFor?: Serialized<ExecutionWaiting>;
  /** The execution that started it. Absent if it is not a child. */
  parent?: ExecutionParent;
  /** The values of its context by their keys: the final ones if it has ended, otherwise those so far. */
  context: Record<string, ValueView>;
  /** Its tasks, dependencies before their dependents. */
  tasks: TaskRow[];
  /**
   * The graph of the workflow as the running code has it. Absent if this process does not serve the workflow. The execution may
   * have been started by another release, so compare the names of the tasks.
   */
  graph?: WorkflowGraph;
  /** The actions that its status allows now. Empty if the dashboard is read-only. */
  actions: ExecutionAction[];
}

/** What a user can do to one execution: each is a `POST …/executions/:id/ACTION`. */
export type ExecutionAction = 'cancel' | 'pause' | 'resume' | 'retry' | 'signal';

/** What happened to an execution, the oldest first: response of `GET …/executions/:id/history`. */
export type HistoryResponse = { entries: Serialized<HistoryEntry>[] };

/** Why an execution has not ended: response of `GET …/executions/:id/explain`. */
export type ExplainResponse = Serialized<ExecutionExplanation>;

/** An execution with all executions under it: response of `GET …/executions/:id/tree`. */
export type TreeResponse = ExecutionTree;

/** A whole value of the context: response of `GET …/executions/:id/values/:name`. */
export interface ValueResponse {
  /** The key of the context. */
  name: string;
  /** The value. Secrets in it are replaced by `[redacted]`. */
  value: unknown;
}

/**
 * The items of a map, by their positions: response of `GET …/executions/:id/items/:task?status=Failed&limit=100&after=99`.
 *
 * `status` selects items with one status. Default: all. `limit` is 1 to 200. Default: 100. `after` is the position behind which
 * the page begins; `nextCursor` is that of the next call.
 */
export type ItemsResponse = Page<
  Omit<Serialized<ItemResult>, 'item' | 'value'> & {
    item: ValueView;
    value?: ValueView;
    status: TaskStatus;
  }
>;

/**
 * The state of an execution without its context.
 *
 * The data of the event `execution` of `GET …/executions/:id/events`, which the stream sends at once and after each change. The
 * stream ends with the execution.
 */
export interface ExecutionEvent extends Omit<Serialized<ExecutionUpdate>, 'tasks'> {
  /** The name of its tenant. */
  tenant: string;
  /** Its tasks, dependencies before their dependents. */
  tasks: TaskRow[];
}
