import type { ExecutionResult } from './execution.js';
import type { Duration, ExecutionStatus } from '../workflow/index.js';

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
