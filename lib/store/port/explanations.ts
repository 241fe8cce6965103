import type { TaskKey } from './claims.js';
import type { TaskRow } from './executions.js';

/** For what kind of cause items have not ended. */
export type ItemCause =
  'running' | 'paused' | 'due' | 'startTime' | 'backoff' | 'condition' | 'waiting' | 'dependencies';

/** Items of a map that have not ended for the same kind of cause. */
export interface OpenItems {
  readonly taskNo: number;
  readonly cause: ItemCause;
  /** The owner of Running items. Null for others. */
  readonly owner: string | null;
  readonly limitKey: string | null;
  readonly count: number;
  /** The first item and the last one. */
  readonly first: number;
  readonly last: number;
}

/** Max number of groups that {@link ExplanationStore.openItems} returns: the largest. */
export const MAX_ITEM_GROUPS = 20;

/** What an open wait of a task listens for. */
export interface ListeningWait extends TaskKey {
  /** The name of the wait in the code; of one of several messages, with a suffix after `##`. */
  readonly name: string;
  readonly eventName: string;
  /** The key of an event; the id of the execution for a signal. */
  readonly eventKey: string;
}

/** An execution that a task waits for. */
export interface AwaitedChild {
  readonly id: string;
  readonly workflow: string;
  readonly status: string;
}

/** Reads for explanations. Each reads a bounded number of rows. */
export interface ExplanationStore {
  /**
   * The items of maps of an execution that have not ended, in groups, the largest first.
   *
   * @param atEach - how many of the first items of each map are looked at, and how many of the last
   */
  openItems(executionId: string, maps: readonly number[], atEach: number): Promise<OpenItems[]>;
  /** The rows of items, without contexts and steps. */
  items(keys: readonly TaskKey[]): Promise<TaskRow[]>;
  /** What the open waits of these tasks listen for; at most 200. */
  listening(tasks: readonly TaskKey[]): Promise<ListeningWait[]>;
  /** These executions. Missing ones are left out. */
  children(ids: readonly string[]): Promise<AwaitedChild[]>;
  /** Who paused the execution last. Undefined if no name was given, or if it was never paused. */
  pausedBy(executionId: string): Promise<string | undefined>;
}
