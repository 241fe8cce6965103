import type { StoredError } from '../errors/index.js';
import type { ExecutionStatus, SkipReason, Tags, TaskStatus } from '../workflow/index.js';
import type { JsonObject } from '../discovery/task-context.js';
import type { WorkflowContext, WorkflowRef } from '../discovery/workflow-ref.js';

/** One attempt of a task, as it was recorded. */
export interface TaskAttempt {
  /** 1 for the first. */
  attempt: number;
  startedAt: Date;
  completedAt: Date;
  durationMs: number;
  /** Absent for the attempt that completed the task. */
  error?: StoredError;
}

/** What a task is waiting for. */
export interface TaskWaiting {
  /**
   * `dependencies`: others come first. `time`: a retry or a delay is not due yet. `condition`: the condition of its
   * `deferUntil` was false and is checked again later. `slot`: it is due and no process has had room. `paused`: the
   * execution is. `handler`: this process has no handler for it.
   * `hungHandler`: its earlier handler goes on in this process though its signal was aborted; another process may begin
   * it. `recovery`: the process that ran it is gone and no other one has taken over yet.
   */
  reason:
    | 'dependencies'
    | 'time'
    | 'condition'
    | 'slot'
    | 'paused'
    | 'handler'
    | 'hungHandler'
    | 'recovery';
  /** A sentence. */
  detail: string;
  /** For `time` and `condition`: when it is due. */
  until?: Date;
}

/** What an execution is waiting for, if no task of it runs. Of several tasks that wait, it tells of the one due first. */
export interface ExecutionWaiting extends TaskWaiting {
  /** The task that waits. Absent for a Paused execution. */
  task?: string;
}

/** A task of an execution. */
export interface TaskDetails {
  name: string;
  status: TaskStatus;
  /** Attempts that have begun, the running one included. */
  attempt: number;
  /** Attempts that have ended, oldest first, the last 20. */
  attempts: TaskAttempt[];
  /** How often it was recovered from a lost process. */
  recoveryAttempts: number;
  /** The last one, also while the task waits for its next attempt. */
  error?: StoredError;
  skipReason?: SkipReason;
  waitingFor?: TaskWaiting;
  /** Of the latest attempt. */
  startedAt?: Date;
  completedAt?: Date;
}

/** An execution of a workflow as {@link CloacinaRunner.list} shows it: without its context and its tasks. */
export interface ExecutionSummary {
  /** A UUID (version 7). */
  id: string;
  workflow: string;
  /** The version of the definition that the execution is pinned to. */
  version?: string;
  status: ExecutionStatus;
  /** Of a Failed execution: the error of its timeout, or else of the first task whose failure was not handled. */
  error?: StoredError;
  /** Of a Paused or Cancelled execution: the reason that was given to `pause` or `cancel`. */
  reason?: string;
  /** Of an execution that has not ended and of which no task runs. */
  waitingFor?: ExecutionWaiting;
  /** As its start was given it. */
  idempotencyKey?: string;
  /** As its start was given them; absent for none. */
  tags?: Tags;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
}

/** An execution of a workflow with its context and its tasks, as {@link CloacinaRunner.get} shows it. */
export interface Execution<C extends object = JsonObject> extends ExecutionSummary {
  /** Final once ended, else what is known so far. */
  context: C;
  /** Each task of the definition, in an order in which dependencies come first. */
  tasks: TaskDetails[];
}

/**
 * An execution of a known workflow: the context has the workflow's type once it is Completed. Until then, and where it
 * Failed or was Cancelled, each key may be missing.
 *
 * @example
 * ```ts
 * const order = await runner.get(id, { workflow: OrderFulfilment });
 * if (order?.status === 'Completed') console.log(order.context.parcel);
 * ```
 */
export type WorkflowExecution<R extends WorkflowRef> =
  | (Execution<WorkflowContext<R>> & { status: 'Completed' })
  | (Execution<Partial<WorkflowContext<R>>> & { status: Exclude<ExecutionStatus, 'Completed'> });

/** What {@link CloacinaRunner.get} looks for beside the id. */
export interface GetOptions<R extends WorkflowRef = WorkflowRef> {
  /** Only an execution of this workflow: its class, its name, or its definition. */
  workflow?: R;
}

/**
 * An execution that has ended.
 *
 * `C` is the context of a Completed one, `K` what is known of this one: the same, or a part of it where the execution may
 * have Failed.
 */
export interface ExecutionResult<
  C extends object = JsonObject,
  K extends object = C,
> extends Execution<K> {
  /**
   * The result itself if the execution is Completed. For results that were asked for with `settled`.
   *
   * @throws WorkflowFailedError, WorkflowCancelledError
   */
  orThrow(): ExecutionResult<C>;
}

/** Which executions to count. Omitted fields do not filter. */
export interface ExecutionCountFilter {
  /** The workflow's class, its name, or its definition. */
  workflow?: WorkflowRef;
  status?: ExecutionStatus | ExecutionStatus[];
  /** Executions that have all of these tags. */
  tags?: Tags;
  /** Exclusive. */
  createdAfter?: Date;
  /** Exclusive. */
  createdBefore?: Date;
}

/** Which executions to list. Omitted fields do not filter. */
export interface ExecutionFilter extends ExecutionCountFilter {
  /** The execution that was started with this key; of each workflow, unless `workflow` says which. */
  idempotencyKey?: string;
  /** 1 to 500, default 50. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

/** A page, newest first. */
export interface ExecutionPage<T = ExecutionSummary> {
  items: T[];
  /** For the next page; null on the last one. */
  nextCursor: string | null;
}

/** How many executions of one workflow there are. */
export interface WorkflowCounts {
  workflow: string;
  /** Of all statuses that were counted. */
  total: number;
  /** Each status, 0 for those that no execution has. */
  byStatus: Record<ExecutionStatus, number>;
}
