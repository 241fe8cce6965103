import type { Batch } from '../engine/starts/batched-starts.js';
import type { StartRequest } from '../engine/starts/start-request.js';
import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { DURATION_FORM, parseDuration, type Duration } from '../workflow/index.js';
import { checkJoined } from './join-check.js';
import { checkKey, type StartOptions } from './start-request.js';

/** How the inputs of several starts are collected in one execution. */
export interface BatchOptions {
  /** The inputs of starts of the workflow with this key are collected, 1 to 500 characters. */
  key: string;
  /** The number of inputs with which the execution begins at once, 1 to 1,000. It never gets more. */
  size: number;
  /** How long the execution waits for further inputs after the first one. Then it begins with those that it has. */
  wait: Duration;
}

const BATCH_OPTIONS: ReadonlySet<string> = new Set<keyof BatchOptions>(['key', 'size', 'wait']);
const MAX_SIZE = 1_000;

/** @throws InvalidArgumentError for options that are not valid, or that can't be combined with a batch */
export function checkBatch(options: StartOptions, request: StartRequest): Batch | undefined {
  const { batch } = options;
  if (batch === undefined) return undefined;
  checkCallOptions('batch', batch, BATCH_OPTIONS);
  checkJoined('batch', options, request);
  const { key, size, wait } = batch;
  const checked = checkKey(key, 'batch.key');
  if (checked === null) throw new InvalidArgumentError('batch.key', 'is missing');
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) {
    throw new InvalidArgumentError(
      'batch.size',
      `must be a whole number from 1 to ${MAX_SIZE}, not ${formatValue(size)}`,
    );
  }
  const waitMs = parseDuration(wait);
  if (waitMs === undefined) {
    throw new InvalidArgumentError(
      'batch.wait',
      `must be ${DURATION_FORM}, not ${formatValue(wait)}`,
    );
  }
  return { key: checked, size, waitMs: Math.ceil(waitMs) };
}
