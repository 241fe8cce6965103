import type { JsonObject } from '../context-types.js';

/** Reads the inputs that starts with the option `batch` have added to the execution. */
export interface BatchInputs {
  /**
   * Reads the inputs of all starts that were collected in this execution, in the order in which they were added: those of one
   * process in the order of its calls. An execution that was started without `batch` has one, its input.
   *
   * They no longer change once the execution has begun, so a later attempt reads the same ones. The input in the context
   * is the first of them.
   *
   * @example
   * ```ts
   * const pages = await context.batch<{ page: string }>();
   * await this.search.index(pages.map(({ page }) => page));
   * ```
   */
  batch<T extends object = JsonObject>(): Promise<T[]>;
}
