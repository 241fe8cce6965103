import { CloacinaError } from './cloacina-error.js';
import type { StoredError } from '../workflow/describe-error.js';

/** The items of a map that failed, as the error names them. */
export interface FailedItems {
  /** The number of Failed items. */
  readonly failed: number;
  /** The number of Cancelled items. */
  readonly cancelled: number;
  /** The number of all items. */
  readonly total: number;
  /** The first of them. */
  readonly first?: { readonly index: number; readonly error?: StoredError | undefined } | undefined;
}

/**
 * More items of a map failed than its `onItemFailure` allows. The task fails and is not retried, because its items have had
 * their own attempts: a manual retry of the execution runs the items again that did not complete.
 *
 * `cause` is the error of the first Failed item, with the stored name, message, code and stack.
 */
export class ItemsFailedError extends CloacinaError {
  readonly task: string;
  /** Number of items that Failed. */
  readonly failed: number;
  /** Number of items that were Cancelled because of the first failure. */
  readonly cancelled: number;
  /** Number of all items. */
  readonly total: number;

  constructor(task: string, { failed, cancelled, total, first }: FailedItems) {
    const error = first?.error;
    const which = first === undefined ? '' : ` The first is item ${first.index}`;
    const reason = error === undefined ? '' : `: ${error.name}: ${error.message}`;
    const rest = cancelled === 0 ? '' : ` ${cancelled} items were cancelled.`;
    super(
      'ITEMS_FAILED',
      `${failed} of ${total} items of task ${JSON.stringify(task)} failed.${rest}` +
        `${which}${reason}${which === '' ? '' : '.'} runner.results() reads the others.`,
      error === undefined ? undefined : { cause: error },
    );
    this.task = task;
    this.failed = failed;
    this.cancelled = cancelled;
    this.total = total;
  }
}

/** The `items` of a map made more items than `maxItems`. The task fails and is not retried. */
export class TooManyItemsError extends CloacinaError {
  readonly task: string;
  /** The `maxItems` of the task. */
  readonly limit: number;

  constructor(task: string, limit: number) {
    super(
      'TOO_MANY_ITEMS',
      `The items of task ${JSON.stringify(task)} are more than its maxItems, ${limit}. Raise maxItems (at most 1,000,000), ` +
        'or divide the items among several executions.',
    );
    this.task = task;
    this.limit = limit;
  }
}
