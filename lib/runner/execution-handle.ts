import type { ExecutionResult } from './execution.js';
import type { Duration, ExecutionStatus } from '../workflow/index.js';
import { checkTimeout, refuseInTask } from './call-checks.js';
import type { ResultWaiter } from './result-waiter.js';

/** An execution that was started, or asked for by its id. Cheap: it holds nothing but the id. */
export interface ExecutionHandle {
  readonly id: string;
  /** False: the idempotency key found an earlier execution. */
  readonly created: boolean;
  /** @throws UnknownExecutionError */
  status(): Promise<ExecutionStatus>;
  /**
   * Waits for the end, whatever it is.
   *
   * @param options.timeout - how long to wait; without it, as long as it takes
   * @throws WaitTimeoutError when it takes longer; the execution goes on
   * @throws UnknownExecutionError
   * @throws NotAllowedError inside a task's handler, which would hold the slot that the execution may need
   */
  result(options?: { timeout?: Duration }): Promise<ExecutionResult>;
  /** See {@link CloacinaRunner.cancel}. */
  cancel(reason?: string): Promise<void>;
  /** See {@link CloacinaRunner.pause}. */
  pause(reason?: string): Promise<void>;
  /** See {@link CloacinaRunner.resume}. */
  resume(): Promise<void>;
}

/** What handles hand their calls on to. */
export interface HandleControl {
  status(id: string): Promise<ExecutionStatus>;
  cancel(id: string, reason?: string): Promise<void>;
  pause(id: string, reason?: string): Promise<void>;
  resume(id: string): Promise<void>;
}

/** A class, not an object of functions: every start makes one, and most are never asked for anything. */
export class RunnerHandle implements ExecutionHandle {
  readonly #control: HandleControl;
  readonly #waits: ResultWaiter;

  constructor(
    readonly id: string,
    readonly created: boolean,
    control: HandleControl,
    waits: ResultWaiter,
  ) {
    this.#control = control;
    this.#waits = waits;
  }

  status(): Promise<ExecutionStatus> {
    return this.#control.status(this.id);
  }

  async result(options?: { timeout?: Duration }): Promise<ExecutionResult> {
    refuseInTask('result()');
    return this.#waits.resultOf(this.id, checkTimeout(options?.timeout));
  }

  cancel(reason?: string): Promise<void> {
    return this.#control.cancel(this.id, reason);
  }

  pause(reason?: string): Promise<void> {
    return this.#control.pause(this.id, reason);
  }

  resume(): Promise<void> {
    return this.#control.resume(this.id);
  }
}
