/** What a control statement found: whether the execution changed, who waits for it, whose handlers are to stop. */
export interface ControlResult {
  readonly changed: boolean;
  /** The workflow's name, where it changed. */
  readonly workflow: string;
  readonly hasWaiters: boolean;
  /** Tasks that were Running. */
  readonly running: readonly number[];
}

/** An execution whose workflow timeout has passed. */
export interface PastDeadline {
  readonly id: string;
  readonly workflow: string;
  readonly timeoutMs: number;
  /** As the server prints it. */
  readonly deadlineAt: string;
}

/** An execution that its timeout ended. */
export interface TimedOutExecution {
  readonly id: string;
  readonly hasWaiters: boolean;
  /** Tasks of it ran: their handlers are to stop. */
  readonly wasRunning: boolean;
}

export interface ResetTask {
  readonly taskNo: number;
  readonly pendingDependencies: number;
  readonly unmetDependencies: number;
}

/** An ended execution under lock, for the decision on what a manual retry resets. */
export interface LockedExecution {
  readonly definitionId: string;
  readonly status: string;
  /** Goes up with every manual retry. */
  readonly generation: number;
  readonly tasks: readonly {
    readonly taskNo: number;
    readonly status: string;
    readonly skipReason: string | null;
  }[];
}

/** Changes executions from outside of their tasks. */
export interface ControlStore {
  cancel(id: string, reason: string | null): Promise<ControlResult>;
  pause(id: string, reason: string | null): Promise<ControlResult>;
  resume(id: string): Promise<ControlResult>;
  /** A page of executions whose workflow timeout has passed, the oldest deadline first. */
  pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]>;
  /** Those that it ended; undefined when another process is at it. `errorOf` gives what is stored of each. */
  timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined>;
  /**
   * Decides on the locked rows and resets; null: nothing to do. In how many milliseconds it is due, 0 or less for now;
   * undefined when there is no such execution.
   */
  reset(
    id: string,
    decide: (
      execution: LockedExecution,
    ) => Promise<{ readonly tasks: readonly ResetTask[]; readonly leaves: number } | null>,
  ): Promise<number | undefined>;
}
