import type { StartItem } from './starts.js';

/** The name of the signals that are inputs of a batch. No other signal has it: names that applications choose have no #. */
export const BATCH_INPUT = '#batch';

/** An input of a batch. */
export interface BatchInput {
  /** Unique. An input that is sent again has the same one. */
  readonly id: string;
  /** JSON text. */
  readonly input: string;
}

/** Starts that add their inputs to one execution that has not begun. */
export interface BatchedStart {
  /**
   * The execution to create if no other one with the key can take the inputs. Its times and its idempotency key are not used, and none of its tasks is claimed.
   */
  readonly item: StartItem;
  readonly key: string;
  /** When the execution begins at the latest, in milliseconds after the first start. */
  readonly waitMs: number;
  /** The number of inputs with which it begins at once. */
  readonly size: number;
  /** At least one. */
  readonly inputs: readonly BatchInput[];
}

export interface BatchResult {
  /** The execution; if no input was taken, one that is not stored. */
  readonly id: string;
  /** Whether the execution was created. */
  readonly created: boolean;
  /**
   * How many of the inputs are stored, from the first one on. The others have to be sent again: the batch is full, or another
   * start or the begin of the execution came between.
   */
  readonly taken: number;
  /** Whether the execution is due at once, because it has all inputs of its size. */
  readonly isFull: boolean;
}

export interface BatchReply {
  /** By index. */
  readonly starts: readonly BatchResult[];
  readonly definitionsAreStored: boolean;
}

/** Starts executions that collect the inputs of several starts. */
export interface BatchStore {
  /** @param starts - of different keys, sorted by workflow and key. No input of them is stored yet */
  start(starts: readonly BatchedStart[]): Promise<BatchReply>;
  /** The executions that have these inputs, by their ids. Inputs that are not stored are left out. */
  find(inputs: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** JSON texts of the inputs of an execution, in the order in which they were added. Empty if it is not a batch. */
  inputs(executionId: string): Promise<string[]>;
}
