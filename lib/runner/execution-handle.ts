import type { JsonObject } from '../discovery/context-types.js';
import type { ExecutionResult } from './execution.js';
import type { ExecutionStatus } from '../workflow/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { refuseInTask } from './call-checks.js';
import type { CancelOptions, PauseOptions, ResumeExecutionOptions } from './reason-options.js';
import {
  checkWait,
  RESULT_OPTIONS,
  type ResultOptions,
  type UnsettledOptions,
} from './result-options.js';
import type { ResultWaiter } from './result-waiter.js';

/** Refers to an execution by its id, and controls it. It holds no other data, so it is cheap to keep. */
export interface ExecutionHandle<C extends object = JsonObject> {
  /** The id of the execution, a UUID. */
  readonly id: string;
  /**
   * Whether this `start` created the execution. False if its idempotency key found an earlier one, and for
   * `handle(id)`.
   */
  readonly created: boolean;
  /**
   * Reads the status of the execution.
   *
   * @throws UnknownExecutionError
   */
  status(): Promise<ExecutionStatus>;
  /**
   * Waits for the end of the execution, and returns its result.
   *
   * @throws WorkflowFailedError, WorkflowCancelledError if the execution did not complete. With `settled: true`, the
   *   result is returned instead
   * @throws WaitTimeoutError if the wait takes longer than `timeout`; the execution continues
   * @throws UnknownExecutionError
   * @throws NotAllowedError while the application boots, and inside a task, whose slot the execution may need
   */
  result(options?: UnsettledOptions): Promise<ExecutionResult<C>>;
  /** With `settled: true`, returns the result of an execution in any final status; check its `status`. */
  result(options: ResultOptions): Promise<ExecutionResult<C, Partial<C>>>;
  /** See {@link CloacinaRunner.cancel}. */
  cancel(options?: CancelOptions): Promise<void>;
  /** See {@link CloacinaRunner.pause}. */
  pause(options?: PauseOptions): Promise<void>;
  /** See {@link CloacinaRunner.resume}. */
  resume(options?: ResumeExecutionOptions): Promise<void>;
}

/** The calls that handles forward. */
export interface HandleControl {
  status(id: string): Promise<ExecutionStatus>;
  cancel(id: string, options?: CancelOptions): Promise<void>;
  pause(id: string, options?: PauseOptions): Promise<void>;
  resume(id: string, options?: ResumeExecutionOptions): Promise<void>;
}

/** A class and not a literal with closures: every start makes a handle, and most handles are never used. */
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

  async result(options: ResultOptions = {}): Promise<ExecutionResult> {
    refuseInTask('result()');
    checkCallOptions('result()', options, RESULT_OPTIONS);
    return this.#waits.resultOf(this.id, checkWait(options));
  }

  cancel(options?: CancelOptions): Promise<void> {
    return this.#control.cancel(this.id, options);
  }

  pause(options?: PauseOptions): Promise<void> {
    return this.#control.pause(this.id, options);
  }

  resume(options?: ResumeExecutionOptions): Promise<void> {
    return this.#control.resume(this.id, options);
  }
}
