import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { ExecutionStatus, Tags } from '../workflow/index.js';
import type { ExecutionSummary } from './execution.js';
import type { LimitKeyRef } from './limit-state.js';

/** Which executions to count. Omitted fields do not filter. */
export interface ExecutionCountFilter {
  /**
   * The class, name or definition of a workflow. Default: all workflows of the application. The library's own, such as
   * `cloacina.bulk` and those of pollers, are found by their names only.
   */
  workflow?: WorkflowRef;
  /** One status, or several of which an execution has one. */
  status?: ExecutionStatus | ExecutionStatus[];
  /** Tags that an execution must have, all of them. */
  tags?: Tags;
  /** The lower limit of the creation time, exclusive. */
  createdAfter?: Date;
  /** The upper limit of the creation time, exclusive. */
  createdBefore?: Date;
}

/**
 * Which executions to list. Omitted fields do not filter. The library's own workflows are listed if the filter has `workflow`, or
 * another field that says which executions: `ids`, `idempotencyKey`, `waitingFor`, `limitKey`, `parent` or `root`.
 */
export interface ExecutionFilter extends ExecutionCountFilter {
  /**
   * Ids of executions, at most 2,000: only these. They can't be combined with `limitKey`, `parent`, `root` and `waitingFor`.
   */
  ids?: string[];
  /** The idempotency key of the execution. Without `workflow`, one execution of each workflow may have it. */
  idempotencyKey?: string;
  /** The name of a signal or event: executions with a task that waits for it, such as `Approval.name`. */
  waitingFor?: string;
  /**
   * A limit and a key: executions with a task that waits for the key, or holds a slot of it. It can't be combined with
   * `parent`, `root` and `waitingFor`.
   */
  limitKey?: LimitKeyRef;
  /** The id of an execution: its children. */
  parent?: string;
  /** The id of an execution without a parent: all executions under it. */
  root?: string;
  /** The size of the page, 1 to 500. Default: 50. */
  limit?: number;
  /** The `nextCursor` of the previous page. Default: the first page. */
  cursor?: string;
  /**
   * How many executions the database looks at for the page, about, 1,000 to 100,000. A filter that few executions match is then
   * as fast as any: the page ends where the look has ended. It may have fewer executions than `limit`, or none, and a
   * `nextCursor` from which the next call goes on. Default: as many as it takes to fill the page.
   */
  maxRead?: number;
}

/** A page of executions, newest first. */
export interface ExecutionPage<T = ExecutionSummary> {
  /** The executions of the page, the newest first. */
  items: T[];
  /** The `cursor` of the next page; null on the last page. */
  nextCursor: string | null;
}

/** The number of executions of one workflow. */
export interface WorkflowCounts {
  /** The name of the workflow. */
  workflow: string;
  /** The sum over all statuses that were counted. */
  total: number;
  /** The number for each status; 0 if no execution has it, or if it was not counted. */
  byStatus: Record<ExecutionStatus, number>;
}
