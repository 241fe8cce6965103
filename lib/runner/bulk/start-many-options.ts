import type { WorkflowInput, WorkflowRef } from '../../discovery/workflow-ref.js';
import type { StartOptions } from '../start-request.js';

/** Options of one execution of {@link CloacinaRunner.startMany}. */
export type StartItemOptions = Omit<StartOptions, 'manager' | 'debounce' | 'batch'>;

/**
 * An execution to start: its input, or its input with options as `[input, options]`, as in `context.executeAll()`. An array
 * and not an object with a key `input`, because an input may have such a key itself.
 */
export type StartItem<R extends WorkflowRef> =
  WorkflowInput<R> | readonly [input: WorkflowInput<R>, options?: StartItemOptions];

/** Options of {@link CloacinaRunner.startMany}. Those of an item come before those of the call. */
export interface StartManyOptions<R extends WorkflowRef = WorkflowRef> extends Omit<
  StartOptions,
  'idempotencyKey' | 'debounce' | 'batch'
> {
  /**
   * Makes the idempotency key of each execution from its input, so that the call can be repeated after a failure. Default:
   * only items that have an `idempotencyKey` have one.
   */
  key?: (input: WorkflowInput<R>) => string;
  /** Called after each statement with the numbers so far. An error that it throws ends the call. Default: none. */
  onProgress?: (progress: StartManyProgress) => void;
  /** Ends the call when it aborts: the statements under way are completed, and no other is sent. Default: none. */
  signal?: AbortSignal;
}

/** How far {@link CloacinaRunner.startMany} has come. */
export interface StartManyProgress {
  /** The number of executions that the call has created. */
  created: number;
  /** The number of inputs whose idempotency key found an earlier execution. */
  existing: number;
}

/** The result of {@link CloacinaRunner.startMany}. */
export interface StartManyResult extends StartManyProgress {
  /** The ids of the executions, in the order of the inputs. */
  ids: string[];
}
