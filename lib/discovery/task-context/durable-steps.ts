import type { EntityManager } from 'typeorm';
import type { StepOptions } from './step-options.js';

/** Records the results of parts of a task, so that a later run does not repeat them. */
export interface DurableSteps {
  /**
   * Runs `work` and records its result under a name. A later run of the task (a retry, a recovery, or the run after a
   * wait) returns the recorded result without running `work` again. The order of steps does not matter, so a deploy may add,
   * remove and move steps. Steps may run at the same time.
   *
   * `work` runs at least once, because a process may end before its result is recorded. The result has to be JSON, at most
   * `maxContextSize` bytes; the call returns it as JSON does, so a Date becomes a string. If `work` throws, nothing is
   * recorded, and the attempt fails with that error. A recorded step is progress: `maxAttempts` then counts from 1 again.
   *
   * Always await the call.
   *
   * @param name - 1 to 200 characters without `#` and `@`, unique in the task; in a loop, add a `key`
   * @throws DuplicateStepError for a name that this run has used already; the task fails without a retry
   * @throws TooManyStepsError beyond `maxSteps`; the task fails without a retry
   * @throws StepsTooLargeError if the results of all steps and waits of the task are larger than `maxStepsSize` together; the
   *   task fails without a retry
   * @throws InvalidContextError for a result that JSON cannot carry
   * @throws ContextTooLargeError for a result that is larger than `maxContextSize`
   * @throws NotAllowedError in a transactional task
   * @example
   * ```ts
   * const file = await context.step('download', () => this.storage.download(url));
   * for (const page of pages) {
   *   await context.step('page', { key: page.number }, () => this.index(page));
   * }
   * ```
   */
  step<T>(name: string, work: () => T | Promise<T>): Promise<T>;
  /**
   * Runs a step in a transaction. Its writes through `manager` and its record commit together, so they are stored exactly
   * once. The task holds no connection before and after it.
   *
   * @example
   * ```ts
   * await context.step('charge', { transactional: true }, (manager) => manager.insert(Charge, { orderId }));
   * ```
   */
  step<T>(
    name: string,
    options: StepOptions & { readonly transactional: true },
    work: (manager: EntityManager) => T | Promise<T>,
  ): Promise<T>;
  /** Runs and records a step with a key or a version. */
  step<T>(name: string, options: StepOptions, work: () => T | Promise<T>): Promise<T>;
}
