import type { StoredError } from '../workflow/describe-error.js';
import type { ItemFailureRule, LimitRef, TaskStatus, TriggerRule } from '../workflow/index.js';
import type { JsonObject, Stored } from './context-types.js';
import type { ChildNodeOptions, NodeOptions } from './node-options.js';
import type { TaskOptions } from './options.js';
import type { TaskContext } from './task-context.js';

/** The calls of a context that write, or wait. */
type Writes = 'set' | 'delete';
type Waits = 'sleep' | 'waitFor' | 'waitForAny' | 'execute' | 'executeAll' | 'start';

/**
 * The parameter of a map's handler: an item, the context that the map started from, and facts and services of the attempt.
 * An item does not write to the context; what its handler returns is its result.
 *
 * @typeParam I - the item; with `chunk`, an array of items
 * @typeParam C - the context
 */
export interface ItemContext<I = unknown, C extends object = JsonObject> extends Omit<
  TaskContext<C>,
  Writes
> {
  /** The item, or with `chunk` the items, as JSON carries them. */
  readonly item: I;
  /** The position of the item among those of the map, from 0. With `chunk`, that of the chunk. */
  readonly index: number;
}

/** The parameter of `items`: the context of the map, for reading. */
export type ItemsContext<C extends object = JsonObject> = Omit<TaskContext<C>, Writes | Waits>;

/** How far the items of a map are stored, when `items` is called again after a lost process or a failed attempt. */
export interface ItemPosition {
  /** The last item that is stored. */
  readonly after: unknown;
  /** The number of items that are stored. */
  readonly count: number;
}

/** What `items` may return. */
export type ItemSource<I> = Iterable<I> | AsyncIterable<I>;

/** Options of a map, with a handler or with children. */
export interface MapItemsOptions<C extends object, I> {
  /**
   * Makes the items. They have to be JSON, each at most `maxContextSize` bytes.
   *
   * An array of up to 100,000 items, and 16 MB of JSON, is stored in one statement: all items or none. Any other iterable is
   * read and stored 5,000 items at a time, and its first items run during that. If the process is lost between two parts,
   * `items` is called again with `from`. A function that reads `from` has to continue behind it, as a cursor over a table does.
   * Of one that does not, the first `from.count` items are left out, so it has to make the same items in the same order.
   *
   * It may run steps and `deferUntil()`, but no other wait.
   */
  items: (context: ItemsContext<C>, from?: ItemPosition) => ItemSource<I> | Promise<ItemSource<I>>;
  /** The number of items that may run at a time, in all processes together: 1 to 1,000. Default: no limit of its own. */
  concurrency?: number;
  /** The largest number of items. With more, the task fails. Default: 10,000; at most 1,000,000. */
  maxItems?: number;
  /**
   * Whether the values of the items become the context key of the map's name, as an array in the order of the items: null
   * for an item that did not complete. Together they may have `maxContextSize` bytes. Default: `false`, a
   * {@link MapSummary} does, and `results()` reads the values.
   */
  collect?: boolean;
  /**
   * What the failure of items does to the map, after their attempts are used up:
   *
   * - `'fail'`: all items run, and one Failed item makes the map Failed.
   * - `'failFast'`: the first Failed item cancels the items that have not ended, and the map is Failed.
   * - `'continue'`: the map is Completed, whatever its items are.
   * - `{ tolerate: 10 }`, `{ tolerate: 0.05 }`: the map is Failed if more items failed than this number, or this share of all.
   *
   * Default: `'fail'`.
   */
  onItemFailure?: ItemFailureRule;
}

/**
 * Options of `@MapTask`. `D` are the names of the dependencies, `W` is the type of the trigger rule, `C` the context, `I` the
 * item. The retry policy, the timeout and the transaction are those of each item; `timeout` also bounds a run of `items`. A map
 * has no `fairKey`.
 */
export interface MapOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
  C extends object = JsonObject,
  I = unknown,
  K extends number | undefined = number | undefined,
>
  extends Omit<TaskOptions<D, W>, 'limit' | 'fairKey'>, MapItemsOptions<C, I> {
  /**
   * The limit that each item counts for, beside the `concurrency` of the map. Its `key` is a path in the item if it begins with
   * `item`, otherwise in the input. A `chunk` has no key in the item. Default: none.
   *
   * @example
   * ```ts
   * @MapTask({ items: (context) => context.require('orders'), limit: { name: 'stripe', key: 'item.accountId', concurrency: 4 } })
   * ```
   */
  limit?: LimitRef;
  /**
   * The number of items that the handler gets at a time, as an array: 1 to 10,000. Attempts and results are those of the
   * chunk. Default: one item, by itself.
   */
  chunk?: K;
}

/** Options of `@MapChildren`. An item is the input of its child. */
export interface MapChildrenOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
  C extends object = JsonObject,
  I = object,
  O extends string = string,
>
  extends
    NodeOptions<D, W>,
    MapItemsOptions<C, I>,
    Pick<ChildNodeOptions<D, W, never, object, O>, 'onParentEnd'> {
  /** The key of the child's context that is the value of the item. Default: the child's whole context. */
  output?: O;
}

/** The item that the handler gets. */
export type ItemOf<I, K> = [K] extends [number] ? Stored<I>[] : Stored<I>;

/**
 * How the items of a map have ended. A map stores it in the context under its name, unless it has `collect`. With `chunk`, it
 * counts chunks.
 *
 * @example
 * ```ts
 * const { completed, total } = context.require('notify'); // notify?: MapSummary
 * ```
 */
export interface MapSummary {
  /** The number of items. */
  total: number;
  /** The number of Completed items. */
  completed: number;
  /** The number of Failed items, whose attempts are used up. */
  failed: number;
  /** The number of Cancelled items: with `failFast`, those that had not ended at the first failure. */
  cancelled: number;
}

/**
 * An item of a map and how it has ended: what `context.results()` and `runner.results()` read.
 *
 * @example
 * ```ts
 * for await (const { index, item, error } of runner.results(id, 'notify', { status: 'Failed' })) {
 *   console.log(index, item, error?.message);
 * }
 * ```
 */
export interface ItemResult<V = unknown> {
  /** The position among the items of the map, from 0. With `chunk`, among the chunks. */
  index: number;
  /** The item, as JSON carries it. With `chunk`, the array of items. */
  item: unknown;
  /** The status of the item. */
  status: TaskStatus;
  /** What the handler returned. Present if the item is Completed and the handler returned a value. */
  value?: V;
  /** The error of the last failed attempt, unless the item is Completed. */
  error?: StoredError;
  /** The number of attempts that have begun, including the running one. */
  attempt: number;
}

/** Options of `results()`. */
export interface ResultsOptions {
  /** Only items with this status. Default: all. */
  status?: TaskStatus;
  /** Only items behind the one with this `index`, to go on where an earlier call stopped. Default: from the first item on. */
  after?: number;
}
