import type { TaskKey } from './claims.js';
import type { ListedStep, StepDetail, StepKind } from './steps.js';
import type { HistoryRow } from './history.js';
import type { StoredProgress } from './progress.js';

/** An execution's row. It refers to the definition by id. */
export interface ExecutionRow {
  readonly id: string;
  readonly workflow: string;
  readonly definitionId: string;
  readonly status: string;
  readonly input: string;
  readonly context: string | null;
  readonly error: string | null;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
  /** JSON text, or null for none. */
  readonly tags: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** The execution whose task started this one, the stored name of its step, and the execution at the top. */
  readonly parentId: string | null;
  readonly parentStep: string | null;
  readonly rootId: string | null;
  /** Until when an execution that has not begun must begin. Null without such a time. */
  readonly startBefore: Date | null;
  /** The slot for which the execution waits. Null if it has its slot, or needs none. */
  readonly turn: WaitingTurn | null;
}

/** The slot of an admission for which an execution waits. */
export interface WaitingTurn {
  /** The stored key. */
  readonly key: string;
  /** When the execution asks for it. */
  readonly at: Date;
}

/** A task's row. */
export interface TaskRow extends TaskKey {
  readonly status: string;
  readonly pendingDependencies: number;
  readonly unmetDependencies: number;
  /** Of a map: the number of stored items, negative while more may come. Null for other tasks, and without items. */
  readonly itemCount: number | null;
  readonly attempt: number;
  readonly recoveryAttempts: number;
  readonly owner: string | null;
  readonly paused: boolean;
  readonly failureHandled: boolean;
  readonly runAt: Date | null;
  readonly deferred: boolean;
  readonly skipReason: string | null;
  readonly output: string | null;
  readonly deletedKeys: readonly string[];
  readonly error: string | null;
  readonly attempts: string | null;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** The limit and the key that the task counts for, as in its row. Null without a limit. */
  readonly limitKey: string | null;
  /** Whether the task is Running and its owner has no valid lease. */
  readonly isOrphaned: boolean;
  /** The first open wait of a task that is Waiting. Null for other tasks, and for one that waits for its items. */
  readonly wait: OpenWait | null;
  /** What the task's latest run has reported. Null if it reported nothing, and after the end of the task. */
  readonly progress: StoredProgress | null;
  /** The newest checkpoints of the task, oldest first; at most {@link MAX_LISTED_STEPS}. Empty if they were not asked for. */
  readonly steps: readonly ListedStep[];
}

/** A wait that is not over. */
export interface OpenWait {
  readonly name: string;
  readonly kind: Exclude<StepKind, 'step'>;
  readonly since: Date;
  /** The end of a sleep, or of the wait's time limit. */
  readonly until: Date | null;
  /** The name of the signal or event that the wait is for. */
  readonly eventName: string | null;
  readonly childId: string | null;
}

/** An execution's row with the rows of all its tasks, in the order of their numbers. */
export interface ExecutionDetails extends ExecutionRow {
  readonly tasks: readonly TaskRow[];
}

/** Omitted: any execution. A list without `workflow`, and without another field that says which, leaves out the built-in ones. */
export interface ExecutionListFilter {
  readonly workflow?: string | undefined;
  /** Whether a list by statuses other than Completed has the library's own workflows too. */
  readonly withBuiltIns?: boolean | undefined;
  readonly statuses?: readonly string[] | undefined;
  /** JSON text of tags: executions that have all of them. */
  readonly tags?: string | undefined;
  /** Only these executions. */
  readonly ids?: readonly string[] | undefined;
  readonly idempotencyKey?: string | undefined;
  /** The name of a signal or event that one of the tasks waits for. */
  readonly waitingFor?: string | undefined;
  /** The limit and the key that one of the tasks waits for, or holds a slot of. */
  readonly limitKey?: string | undefined;
  /** Whether a task of this key holds its slot until it has ended, also between its runs. */
  readonly limitIsStrict?: boolean | undefined;
  /** The execution that started those to list. */
  readonly parent?: string | undefined;
  /** The execution at the top of the tree of those to list. */
  readonly root?: string | undefined;
  readonly createdAfter?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly limit: number;
  /** The last execution of the previous page. */
  readonly after?: { readonly createdAtMicros: string; readonly id: string } | undefined;
}

/** The properties of a waiting task that a list shows. */
export type WaitingTask = Pick<
  TaskRow,
  | keyof TaskKey
  | 'status'
  | 'attempt'
  | 'paused'
  | 'deferred'
  | 'runAt'
  | 'limitKey'
  | 'isOrphaned'
  | 'wait'
>;

/**
 * Selects the task that shows what an execution waits for: a task of a lost process, else the Ready or Waiting task that
 * is due first, else a Waiting one without a time. Undefined while a living process runs one of the tasks. The statements
 * that list executions select the same task.
 */
export function waitingTaskOf<T extends WaitingTask>(tasks: readonly T[]): T | undefined {
  const running = tasks.filter(({ status }) => status === 'Running');
  if (running.length > 0) {
    return running.every(({ isOrphaned }) => isOrphaned) ? running[0] : undefined;
  }
  const due = ({ runAt }: T): number => runAt?.getTime() ?? Infinity;
  return tasks
    .filter(({ status }) => status === 'Ready' || status === 'Waiting')
    .reduce<T | undefined>(
      (first, task) => (first === undefined || due(task) < due(first) ? task : first),
      undefined,
    );
}

/** An execution as a list shows it, without contexts, so that no field is large. */
export interface ListedExecution {
  readonly id: string;
  readonly workflow: string;
  readonly definitionId: string;
  /** Version of the definition that the execution is pinned to. */
  readonly version: string | null;
  readonly status: string;
  /** The execution's own error, else that of the first failed task whose failure no other task handled. */
  readonly error: string | null;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
  /** JSON text, or null for none. */
  readonly tags: string | null;
  /** Number of the first failed task whose failure no other task handled, of a Failed execution. Null otherwise. */
  readonly failedTask: number | null;
  /** The task that a Pending or Running execution waits for ({@link waitingTaskOf}). Null if it doesn't wait. */
  readonly waiting: WaitingTask | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly parentId: string | null;
  readonly parentStep: string | null;
  readonly rootId: string | null;
  /** Until when an execution that has not begun must begin. Null without such a time. */
  readonly startBefore: Date | null;
  readonly turn: WaitingTurn | null;
  readonly createdAtMicros: string;
}

/** A page of a list with a bounded look. */
export interface ListedPage {
  readonly rows: ListedExecution[];
  /** The place where the look has ended: behind it, there may be more. Null: the page is full, or nothing is behind it. */
  readonly end: Pick<ListedExecution, 'createdAtMicros' | 'id'> | null;
}

/** Selects the executions to count. */
export type ExecutionCountFilter = Pick<
  ExecutionListFilter,
  'workflow' | 'statuses' | 'tags' | 'createdAfter' | 'createdBefore'
>;

/** The number of executions of a workflow with a status, at least 1. */
export interface ExecutionCount {
  readonly workflow: string;
  readonly status: string;
  readonly count: number;
}

/** Reads executions, and registers waiters for their ends. */
export interface ExecutionStore {
  executions(ids: readonly string[]): Promise<ExecutionRow[]>;
  /** Statuses by id. Missing executions have no entry. */
  statuses(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Executions with their tasks without items, all as they are at one moment.
   *
   * @param contexts - whether to read the contexts: the input and context of the execution, and the outputs of tasks.
   *   Otherwise these are null or empty. Default: true
   * @param steps - whether to read the checkpoints of tasks. Default: `none`
   */
  details(
    ids: readonly string[],
    contexts?: boolean,
    steps?: StepDetail,
  ): Promise<ExecutionDetails[]>;
  /** Undefined if no execution has this id. */
  history(id: string): Promise<HistoryRow | undefined>;
  list(filter: ExecutionListFilter): Promise<ListedExecution[]>;
  /** A page of which about `maxRead` executions are looked at, at most: it may end before it is full. */
  listWithin(filter: ExecutionListFilter, maxRead: number): Promise<ListedPage>;
  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]>;
  /**
   * Notes that a process waits for the execution's end. Returns its status, or undefined if no execution has this id.
   */
  await(id: string): Promise<string | undefined>;
  /** The same for many executions. Skips those that another session has locked at the moment. */
  awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
}
