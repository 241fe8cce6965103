import { InvalidArgumentError } from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { checkActor } from './call-checks.js';
import { formatValue } from '../errors/option-checks.js';

/** Options of {@link CloacinaRunner.retry}. */
export interface RetryExecutionOptions {
  /**
   * `keep`: a task whose input is the same as before keeps its recorded steps. `discard`: all tasks that run again begin
   * without steps. Default: `keep`.
   */
  steps?: 'keep' | 'discard';
  /**
   * Of maps that run again with the same input: `failed` runs the items that did not complete, `all` runs all of them. A map
   * whose input has changed makes its items anew in any case. Default: `failed`.
   */
  items?: 'failed' | 'all';
  /** Who retries, for people: it is stored in the history. Default: none. */
  actor?: string;
}

const RETRY_OPTIONS: ReadonlySet<string> = new Set<keyof RetryExecutionOptions>([
  'steps',
  'items',
  'actor',
]);

interface CheckedRetry {
  readonly steps: 'keep' | 'discard';
  readonly items: 'failed' | 'all';
  readonly actor: string | null;
}

/** @throws InvalidArgumentError for an unknown option or an invalid value */
export function checkRetry(options: RetryExecutionOptions): CheckedRetry {
  checkCallOptions('retry()', options, RETRY_OPTIONS);
  return {
    steps: checkSteps(options.steps),
    items: checkItems(options.items),
    actor: checkActor(options.actor),
  };
}

/** @throws InvalidArgumentError for an invalid `steps` */
export function checkSteps(steps: 'keep' | 'discard' = 'keep'): 'keep' | 'discard' {
  if (steps === 'keep' || steps === 'discard') return steps;
  throw new InvalidArgumentError('steps', `must be 'keep' or 'discard', not ${formatValue(steps)}`);
}

function checkItems(items: 'failed' | 'all' = 'failed'): 'failed' | 'all' {
  if (items === 'failed' || items === 'all') return items;
  throw new InvalidArgumentError('items', `must be 'failed' or 'all', not ${formatValue(items)}`);
}
