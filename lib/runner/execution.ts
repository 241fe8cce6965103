import type { LimitKeyRef } from './limit-state.js';
import type { StoredError } from '../errors/index.js';
import type { ExecutionStatus, SkipReason, Tags, TaskKind, TaskStatus } from '../workflow/index.js';
import type { JsonObject } from '../discovery/context-types.js';
import type { WorkflowContext, WorkflowRef } from '../discovery/workflow-ref.js';

/** A recorded attempt of a task. */
export interface TaskAttempt {
  /** The number of the attempt, from 1. */
  attempt: number;
  /** The start of the attempt. */
  startedAt: Date;
  /** The end of the attempt. */
  completedAt: Date;
  /** The time from the start to the end, in milliseconds. */
  durationMs: number;
  /** Absent for the attempt that completed the task. */
  error?: StoredError;
}

/** What a task is waiting for. */
export interface TaskWaiting {
  /**
   * - `dependencies`: other tasks have to end first.
   * - `time`: its `runAt`, its `delay` or its next attempt is not due yet.
   * - `condition`: the condition of its `deferUntil` was false, and is checked again later.
   * - `limit`: it is due, and its limit has no free slot or no token for its key.
   * - `turn`: the execution waits for its turn: its admission has no free slot or no token for its key.
   * - `slot`: it is due, and no process had a free slot yet.
   * - `paused`: the execution is paused.
   * - `workflowPaused`: it is due, and its workflow is paused; see `pauseWorkflow`.
   * - `handler`: this process has no handler for it.
   * - `hungHandler`: an earlier attempt's handler still runs in this process after its signal aborted. Another process
   *   may begin the task.
   * - `sleep`: the time of its `sleep()` is not over.
   * - `signal`, `event`, `child`, `items`: it waits for a message, an execution that it started, or its items.
   * - `recovery`: the process that ran it is lost, and no other process has recovered it yet.
   */
  reason:
    | 'dependencies'
    | 'time'
    | 'condition'
    | 'sleep'
    | 'signal'
    | 'event'
    | 'child'
    | 'items'
    | 'limit'
    | 'turn'
    | 'slot'
    | 'paused'
    | 'workflowPaused'
    | 'handler'
    | 'hungHandler'
    | 'recovery';
  /** The same as a sentence for people. */
  detail: string;
  /** Name of the wait in the code, for `sleep`, `signal`, `event` and `child`. */
  wait?: string;
  /** The id of the execution that it waits for, for `child`. Of several, the first. */
  child?: string;
  /** Since when it waits, for the same. For `workflowPaused`: since when the workflow is paused. */
  since?: Date;
  /** The limit and the key, for `limit`. Absent for the `concurrency` of a map. */
  limit?: LimitKeyRef;
  /** When the task is due, for `time`, `condition` and `sleep`, and the end of a time limit. */
  until?: Date;
}

/** What an execution is waiting for. If several tasks wait, it describes the one that is due first. */
export interface ExecutionWaiting extends TaskWaiting {
  /** The name of the waiting task. Absent for a Paused execution. */
  task?: string;
}

/** A named checkpoint of a task: a `step()`, or a wait such as `sleep()`. */
export interface TaskStep {
  /** The name in the code, with `#key` and `@version`. */
  name: string;
  /** What it is: a `step()`, or a wait for a time, a message or a child. */
  kind: 'step' | 'sleep' | 'signal' | 'event' | 'child';
  /** `Open`: a wait that is not over. */
  status: 'Open' | 'Done' | 'Failed' | 'TimedOut';
  /** When a wait began. Of a step: when its function was called, in the run that recorded the result. */
  startedAt: Date;
  /** Absent while a wait is open. */
  completedAt?: Date;
  /** The time from the start to the end, in milliseconds. Absent while a wait is open. */
  durationMs?: number;
  /** The end of a sleep, or of the time limit of a wait. */
  until?: Date;
  /** What the step returned. Only with `stepResults: true`, and absent for a step without a result. */
  result?: unknown;
}

/** What a task has reported with `context.progress()`. */
export interface TaskProgress {
  /** The latest value that was stored. */
  value: unknown;
  /** When it was stored. */
  updatedAt: Date;
}

/** How far a map is. */
export interface TaskItems {
  /** The number of items so far; with `chunk`, of chunks. */
  total: number;
  /** The number of Completed items. */
  completed: number;
  /** The number of items that Failed or were Cancelled. */
  failed: number;
  /** The number of items that have not ended. */
  open: number;
  /** Whether all items are known. While a map still reads its items, `total` grows. */
  isComplete: boolean;
}

/** A task of an execution. */
export interface TaskDetails {
  /** The name of the task. */
  name: string;
  /** `task` has a handler. The others are nodes: `wait`, `sleep` and `child`. */
  kind: TaskKind;
  /** The status of the task. */
  status: TaskStatus;
  /** The number of attempts that have begun, including the running one. */
  attempt: number;
  /** The last 20 attempts that have ended, oldest first. */
  attempts: TaskAttempt[];
  /** How often the task was recovered from a lost process. */
  recoveryAttempts: number;
  /** The error of the last failed attempt, also while the task waits for its next attempt. */
  error?: StoredError;
  /** Why the task was skipped, if it is Skipped. */
  skipReason?: SkipReason;
  /** What the task waits for. Absent if it runs or has ended. */
  waitingFor?: TaskWaiting;
  /** The progress that the latest run of the task has reported. Absent if it has reported none, and after the task's end. */
  progress?: TaskProgress;
  /** How far a map is, from counters of its row. Absent for other tasks, and for a map without items. */
  items?: TaskItems;
  /**
   * The steps and waits of the task that are recorded, oldest first; of more than 100, the newest 100. Absent if there are
   * none, and in the results of `execute()` and `result()`.
   */
  steps?: TaskStep[];
  /** The start of the latest attempt. Of a Cancelled task: of the attempt that the cancellation cut off, if there was one. */
  startedAt?: Date;
  /** The end of the task. Absent until then. */
  completedAt?: Date;
}

/** The parent of a child. */
export interface ExecutionParent {
  /** The id of the parent. */
  id: string;
  /** The name of the step that started the child, with its key after `#`. */
  step: string;
  /** The id of the execution at the top of the tree. */
  root: string;
}

/** An execution as {@link CloacinaRunner.list} returns it: without its context and its tasks. */
export interface ExecutionSummary {
  /** A UUID (version 7). */
  id: string;
  /** The name of the workflow. */
  workflow: string;
  /** The version of the definition that the execution is pinned to. */
  version?: string;
  /** The status of the execution. */
  status: ExecutionStatus;
  /**
   * The error of a Failed execution: its timeout, or else the error of the first task whose failure was not handled.
   */
  error?: StoredError;
  /** The name of the task whose failure `error` is. Absent after a timeout of the workflow. */
  failedTask?: string;
  /**
   * The reason that the caller gave to `pause` or `cancel`, if the execution is Paused or Cancelled. `expired` if it was
   * cancelled because it had not begun before its `startBefore`.
   */
  reason?: string;
  /** What the execution waits for. Present if it has not ended and none of its tasks runs. */
  waitingFor?: ExecutionWaiting;
  /** Until when it must begin. Absent if it may begin at any time, and after it has begun or ended. */
  startBefore?: Date;
  /** The idempotency key that the caller gave to `start`. */
  idempotencyKey?: string;
  /** The tags that the caller gave to `start`. Absent without tags. */
  tags?: Tags;
  /** The execution whose task started this one as a child. Absent for others. */
  parent?: ExecutionParent;
  /** When the execution was stored. */
  createdAt: Date;
  /** When a process claimed the first task. Absent until then. */
  startedAt?: Date;
  /** The end of the execution. Absent until then. */
  completedAt?: Date;
}

/** An execution with its context and its tasks, as {@link CloacinaRunner.get} returns it. */
export interface Execution<C extends object = JsonObject> extends ExecutionSummary {
  /** The final context if the execution has ended, otherwise the context so far. */
  context: C;
  /** All tasks; dependencies come before their dependents. */
  tasks: TaskDetails[];
}

/** The state of an execution as {@link CloacinaRunner.watch} yields it: with its tasks, without its context. */
export interface ExecutionUpdate extends ExecutionSummary {
  /** All tasks; dependencies come before their dependents. */
  tasks: TaskDetails[];
}

/**
 * An execution of a known workflow. If it is Completed, its context has the type of the workflow's context. In every
 * other status, each key may be missing.
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

/** Options of {@link CloacinaRunner.get}. */
export interface GetOptions<R extends WorkflowRef = WorkflowRef> {
  /** The class, name or definition of a workflow: executions of other workflows are not found. */
  workflow?: R;
  /** Whether the results of steps are read too; each may be as large as a context. Default: `false`. */
  stepResults?: boolean;
}

/**
 * An execution that has ended.
 *
 * `C` is the context of a Completed execution. `K` is the type of this execution's `context`: `C`, or `Partial<C>` if
 * the execution may have Failed.
 */
export interface ExecutionResult<
  C extends object = JsonObject,
  K extends object = C,
> extends Execution<K> {
  /**
   * Returns the result if the execution is Completed, and throws otherwise. For results that `settled: true` returned.
   *
   * @throws WorkflowFailedError, WorkflowCancelledError
   */
  orThrow(): ExecutionResult<C>;
}
