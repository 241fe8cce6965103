/** A definition whose waiting tasks get higher priorities with time. */
export interface AgingDefinition {
  readonly id: string;
  /** After which time a due task gets the next level of priority, in milliseconds. */
  readonly agingMs: number;
  /** The priorities of its tasks, by number. */
  readonly priorities: readonly number[];
}

/** Executions and tasks that wait for their begin. */
export interface QueueStore {
  /** The number of Pending executions of a workflow, counted no further than `most`. */
  pending(workflow: string, most: number): Promise<number>;
  /**
   * Gives tasks that have been due for long the level of priority that follows from their age: that of their start, and one
   * more for each `agingMs`. At most {@link MAX_AGED}, those first that have waited longest. A task never gets a lower level,
   * and a task that others have locked is left for the next call.
   *
   * @returns the number of tasks that got a higher level; undefined if another process is doing it
   */
  age(definitions: readonly AgingDefinition[]): Promise<number | undefined>;
}

/** Maximum number of tasks that get another level in a statement. */
export const MAX_AGED = 1_000;
