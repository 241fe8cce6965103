/**
 * The result of a control statement: whether the execution changed, whether it has waiters, which handlers must stop.
 */
export interface ControlResult {
  /** Whether the execution was in a state that allows the change. */
  readonly changed: boolean;
  /** The workflow's name; empty if nothing changed. */
  readonly workflow: string;
  readonly hasWaiters: boolean;
  /** What the end has still to bring about, as bits; 0 if the execution has not ended. */
  readonly unsettled: number;
  /** Numbers of the tasks that were Running. */
  readonly running: readonly number[];
}

/** The reason of an execution that was cancelled because it had not begun in time. */
export const EXPIRED = 'expired';

/** An execution whose workflow timeout has passed, or that has not begun in time. */
export interface PastDeadline {
  readonly id: string;
  readonly workflow: string;
  readonly timeoutMs: number;
  /** Whether it has begun. Otherwise the deadline is the time until which it must begin. */
  readonly hasBegun: boolean;
  /** The deadline in the server's text format, to be sent back to it. */
  readonly deadlineAt: string;
}

/** An execution that its deadline ended. */
export interface TimedOutExecution {
  readonly id: string;
  readonly hasWaiters: boolean;
  /** Whether it had not begun in time, so that it is Cancelled. Otherwise its timeout has passed, and it is Failed. */
  readonly hasExpired: boolean;
  /** Whether tasks were Running, so their handlers must stop. */
  readonly wasRunning: boolean;
  /** What the end has still to bring about, as bits. */
  readonly unsettled: number;
}

/** Which items of a map a manual retry runs again. `discard`: the map makes its items anew. */
export type ItemReset = 'discard' | 'unfinished' | 'all';

/** The state that a manual retry gives to a task. */
export interface ResetTask {
  readonly taskNo: number;
  readonly pendingDependencies: number;
  readonly unmetDependencies: number;
  /** Whether finished steps stay, because the task starts from the same input. Waits that were not over begin anew. */
  readonly keepsSteps: boolean;
  /** Of a map. Undefined for other tasks. */
  readonly items?: ItemReset | undefined;
}

/** An ended execution, locked while the caller decides what a manual retry resets. */
export interface LockedExecution {
  readonly definitionId: string;
  readonly status: string;
  /** Number of manual retries so far. */
  readonly generation: number;
  /** What the end has still to bring about, as bits. */
  readonly unsettled: number;
  readonly tasks: readonly {
    readonly taskNo: number;
    readonly status: string;
    readonly skipReason: string | null;
  }[];
}

/** What a manual retry resets of an execution. */
export interface ResetDecision {
  readonly tasks: readonly ResetTask[];
  /** The number of leaves among them. */
  readonly leaves: number;
  /** Who retries, for the history. */
  readonly actor?: string | null;
}

/** A decision and the execution that it is about. */
export interface ExecutionReset extends ResetDecision {
  readonly id: string;
}

/** Changes executions from outside of their handlers. `actor` is who asks for it, for the history. */
export interface ControlStore {
  cancel(id: string, reason: string | null, actor?: string | null): Promise<ControlResult>;
  pause(id: string, reason: string | null, actor?: string | null): Promise<ControlResult>;
  resume(id: string, actor?: string | null): Promise<ControlResult>;
  /** A page of executions whose deadline has passed, the oldest deadline first. */
  pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]>;
  /**
   * Ends executions whose deadline has passed, and returns those that it ended. Undefined if another process is doing it.
   * `errorOf` returns the error to store for each that its timeout ends.
   */
  timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined>;
  /**
   * Locks the execution's rows, calls `decide`, and resets the tasks that it returns; null resets nothing. Returns in how
   * many milliseconds the execution is due, 0 or less for now. Undefined if no execution has this id.
   */
  reset(
    id: string,
    decide: (execution: LockedExecution) => Promise<ResetDecision | null>,
  ): Promise<number | undefined>;
}
