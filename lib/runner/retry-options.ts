import { InvalidArgumentError } from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { formatValue } from '../errors/option-checks.js';

/** Options of {@link CloacinaRunner.retry}. */
export interface RetryExecutionOptions {
  /**
   * `keep`: a task whose input is the same as before keeps its recorded steps. `discard`: all tasks that run again begin
   * without steps. Default: `keep`.
   */
  steps?: 'keep' | 'discard';
}

const RETRY_OPTIONS: ReadonlySet<string> = new Set<keyof RetryExecutionOptions>(['steps']);

/** @throws InvalidArgumentError for an unknown option or an invalid `steps` */
export function checkRetry(options: RetryExecutionOptions): 'keep' | 'discard' {
  checkCallOptions('retry()', options, RETRY_OPTIONS);
  return checkSteps(options.steps);
}

/** @throws InvalidArgumentError for an invalid `steps` */
export function checkSteps(steps: 'keep' | 'discard' = 'keep'): 'keep' | 'discard' {
  if (steps === 'keep' || steps === 'discard') return steps;
  throw new InvalidArgumentError('steps', `must be 'keep' or 'discard', not ${formatValue(steps)}`);
}
