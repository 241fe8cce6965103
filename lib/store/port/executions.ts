import type { HistoryRow } from './history.js';

/** An execution as its row has it, with its definition's id in place of the graph. */
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
}

/** A task as its row has it. */
export interface TaskRow {
  readonly executionId: string;
  readonly taskNo: number;
  readonly status: string;
  readonly pendingDependencies: number;
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
  /** It runs, and its owner has no lease that holds. */
  readonly isOrphaned: boolean;
}

export interface ExecutionListFilter {
  readonly workflow?: string | undefined;
  readonly statuses?: readonly string[] | undefined;
  /** JSON text of tags: executions that have all of them. */
  readonly tags?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly createdAfter?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  readonly limit: number;
  /** The last one of the page before. */
  readonly after?: { readonly createdAtMicros: string; readonly id: string } | undefined;
}

/** What is told of a task that waits. */
export type WaitingTask = Pick<
  TaskRow,
  'executionId' | 'taskNo' | 'status' | 'attempt' | 'paused' | 'deferred' | 'runAt' | 'isOrphaned'
>;

/**
 * The task that tells what an execution waits for: one whose process is lost, else the Ready one that is due first.
 * Undefined while a process works on one of the tasks. The statements that list executions choose the same.
 */
export function waitingTaskOf<T extends WaitingTask>(tasks: readonly T[]): T | undefined {
  const running = tasks.filter(({ status }) => status === 'Running');
  if (running.length > 0) {
    return running.every(({ isOrphaned }) => isOrphaned) ? running[0] : undefined;
  }
  const due = ({ runAt }: T): number => runAt?.getTime() ?? Infinity;
  return tasks
    .filter(({ status }) => status === 'Ready')
    .reduce<T | undefined>(
      (first, task) => (first === undefined || due(task) < due(first) ? task : first),
      undefined,
    );
}

/** An execution as a list shows it: nothing of it is as large as a context. */
export interface ListedExecution {
  readonly id: string;
  readonly workflow: string;
  readonly definitionId: string;
  /** Of the definition that it is pinned to. */
  readonly version: string | null;
  readonly status: string;
  /** Its own error, else that of its first task which failed and which no other task handled. */
  readonly error: string | null;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
  /** JSON text, or null for none. */
  readonly tags: string | null;
  /** Of a Pending or Running one, if it waits ({@link waitingTaskOf}). */
  readonly waiting: WaitingTask | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly createdAtMicros: string;
}

/** Which executions to count. */
export type ExecutionCountFilter = Pick<
  ExecutionListFilter,
  'workflow' | 'statuses' | 'tags' | 'createdAfter' | 'createdBefore'
>;

/** How many executions of a workflow have a status; at least one. */
export interface ExecutionCount {
  readonly workflow: string;
  readonly status: string;
  readonly count: number;
}

/** Reads executions, and waits for their ends. */
export interface ExecutionStore {
  executions(ids: readonly string[]): Promise<ExecutionRow[]>;
  /** Those that exist. */
  statuses(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  tasks(ids: readonly string[]): Promise<TaskRow[]>;
  /** Undefined when there is no such execution. */
  history(id: string): Promise<HistoryRow | undefined>;
  list(filter: ExecutionListFilter): Promise<ListedExecution[]>;
  count(filter: ExecutionCountFilter): Promise<ExecutionCount[]>;
  /** Marks it as awaited; its status, or undefined when there is no such execution. */
  await(id: string): Promise<string | undefined>;
  /** The same of many; without those that are locked by another session just now. */
  awaitUnlocked(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
}
