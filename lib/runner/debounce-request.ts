import type { Debounce } from '../engine/starts/debounced-starts.js';
import type { StartRequest } from '../engine/starts/start-request.js';
import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { DURATION_FORM, parseDuration, type Duration } from '../workflow/index.js';
import { checkJoined } from './join-check.js';
import { checkKey, type StartOptions } from './start-request.js';

/** How starts with one key are joined to one execution. */
export interface DebounceOptions {
  /** Starts of the workflow with this key are joined, 1 to 500 characters. */
  key: string;
  /**
   * How long the execution waits for another start, in milliseconds or as text such as `'30s'`. Each start begins this time
   * anew.
   */
  wait: Duration;
  /** The longest time that the execution waits after its first start, in the same form. Default: any time. */
  max?: Duration;
}

const DEBOUNCE_OPTIONS: ReadonlySet<string> = new Set<keyof DebounceOptions>([
  'key',
  'wait',
  'max',
]);

/** @throws InvalidArgumentError for options that are not valid, or that can't be combined with a debounced start */
export function checkDebounce(options: StartOptions, request: StartRequest): Debounce | undefined {
  const { debounce } = options;
  if (debounce === undefined) return undefined;
  checkCallOptions('debounce', debounce, DEBOUNCE_OPTIONS);
  checkJoined('debounce', options, request);
  const { key, wait, max } = debounce;
  const checked = checkKey(key, 'debounce.key');
  if (checked === null) throw new InvalidArgumentError('debounce.key', 'is missing');
  if (checked.includes('\u001e')) {
    throw new InvalidArgumentError(
      'debounce.key',
      'contains \\u001e, with which the stored keys of batches begin; remove it',
    );
  }
  return {
    key: checked,
    waitMs: checkTime('wait', wait),
    maxMs: max === undefined ? null : checkTime('max', max),
  };
}

function checkTime(name: keyof DebounceOptions, value: unknown): number {
  const ms = parseDuration(value);
  if (ms !== undefined) return Math.ceil(ms);
  throw new InvalidArgumentError(
    `debounce.${name}`,
    `must be ${DURATION_FORM}, not ${formatValue(value)}`,
  );
}
