import type { ItemResult, ResultsOptions } from '../map-options.js';

/** Reads what maps of the same execution came to. */
export interface MapResults {
  /**
   * Reads the results of a map of this workflow, in the order of its items, a page at a time. Call it in a task that depends
   * on the map; otherwise some items may not have ended.
   *
   * @param mapTask - the name of the map
   * @param options.status - only items with this status
   * @param options.after - only items behind the one with this index
   * @throws InvalidArgumentError for a name that is not that of a map, and for invalid options
   * @example
   * ```ts
   * for await (const { item, value } of context.results<Sent>('notify', { status: 'Completed' })) {
   *   await this.report.add(item, value);
   * }
   * ```
   */
  results<V = unknown>(mapTask: string, options?: ResultsOptions): AsyncIterable<ItemResult<V>>;
}
