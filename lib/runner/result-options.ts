import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { DURATION_FORM, parseDuration, type Duration } from '../workflow/index.js';

/** Options of `execute()` and `result()`, which wait for the end of an execution. */
export interface ResultOptions {
  /** The longest wait. Default: no limit. */
  timeout?: Duration;
  /**
   * Whether the result of an execution that Failed or was Cancelled is returned; check its `status`. Default: `false`,
   * the promise rejects with a {@link WorkflowFailedError} or a {@link WorkflowCancelledError}.
   */
  settled?: boolean;
}

/** Options without `settled: true`: the wait rejects if the execution did not complete. */
export type UnsettledOptions = ResultOptions & { settled?: false };

export const RESULT_OPTIONS: ReadonlySet<string> = new Set<keyof ResultOptions>([
  'timeout',
  'settled',
]);

/** The checked options of a wait. */
export interface CheckedWait {
  readonly timeoutMs: number | undefined;
  readonly settled: boolean;
}

/** @throws InvalidArgumentError for an invalid duration */
function checkTimeout(timeout: Duration | undefined): number | undefined {
  if (timeout === undefined) return undefined;
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs !== undefined) return timeoutMs;
  throw new InvalidArgumentError(
    'timeout',
    `must be ${DURATION_FORM}, not ${formatValue(timeout)}`,
  );
}

/** @throws InvalidArgumentError for an invalid `timeout` or `settled` */
export function checkWait({ timeout, settled = false }: ResultOptions): CheckedWait {
  if (typeof settled !== 'boolean') {
    throw new InvalidArgumentError('settled', `must be true or false, not ${formatValue(settled)}`);
  }
  return { timeoutMs: checkTimeout(timeout), settled };
}
