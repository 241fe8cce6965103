/** Shows how far a task is. */
export interface ProgressReporting {
  /**
   * Reports how far the task is, for people who look at it: `get()` returns the latest value with the task. It returns at
   * once. The latest value of a task is stored once a second, so a task that ends within a second stores none.
   *
   * Progress is advisory. It belongs to a run of the task: a retry, a recovery or the run after a wait begins without. It
   * is ignored after the end of the task, and a crash of the database server loses it. Never decide by it.
   *
   * @param value - a JSON value other than null, at most 8,192 bytes of JSON
   * @throws InvalidArgumentError for any other value
   * @example
   * ```ts
   * for (const [done, page] of pages.entries()) {
   *   await context.step('page', { key: page.number }, () => this.index(page));
   *   context.progress({ done: done + 1, total: pages.length });
   * }
   * ```
   */
  progress(value: unknown): void;
}
