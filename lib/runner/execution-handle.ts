import type { JsonObject } from '../discovery/task-context.js';
import type { ExecutionResult } from './execution.js';
import type { Duration, ExecutionStatus } from '../workflow/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { checkWait, refuseInTask } from './call-checks.js';
import type { ResultWaiter } from './result-waiter.js';

/** How to wait for an execution's end. */
export interface ResultOptions {
  /** How long to wait. Default: as long as it takes. */
  timeout?: Duration;
  /**
   * True: the result of an execution that Failed or was Cancelled is returned like any other; look at its `status`.
   * Default false: the promise rejects with a {@link WorkflowFailedError} or a {@link WorkflowCancelledError}.
   */
  settled?: boolean;
}

/** The options with which a wait rejects for an execution that did not complete. */
export type UnsettledOptions = ResultOptions & { settled?: false };

/** An execution that was started, or asked for by its id. Cheap: it holds nothing but the id. */
export interface ExecutionHandle<C extends object = JsonObject> {
  readonly id: string;
  /** False: the idempotency key found an earlier execution. */
  readonly created: boolean;
  /** @throws UnknownExecutionError */
  status(): Promise<ExecutionStatus>;
  /**
   * Waits for the end.
   *
   * @throws WorkflowFailedError, WorkflowCancelledError when the execution did not complete, unless `settled` is asked for
   * @throws WaitTimeoutError when it takes longer than `timeout`; the execution goes on
   * @throws UnknownExecutionError
   * @throws NotAllowedError inside a task's handler, which would hold the slot that the execution may need
   */
  result(options?: UnsettledOptions): Promise<ExecutionResult<C>>;
  result(options: ResultOptions): Promise<ExecutionResult<C, Partial<C>>>;
  /** See {@link CloacinaRunner.cancel}. */
  cancel(reason?: string): Promise<void>;
  /** See {@link CloacinaRunner.pause}. */
  pause(reason?: string): Promise<void>;
  /** See {@link CloacinaRunner.resume}. */
  resume(): Promise<void>;
}

export const RESULT_OPTIONS: ReadonlySet<string> = new Set<keyof ResultOptions>([
  'timeout',
  'settled',
]);

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

  async result(options: ResultOptions = {}): Promise<ExecutionResult> {
    refuseInTask('result()');
    checkCallOptions('result()', options, RESULT_OPTIONS);
    return this.#waits.resultOf(this.id, checkWait(options));
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
