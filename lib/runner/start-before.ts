import type { PreparedOptions } from '../engine/children/child-runner.js';
import type { StartLimit } from '../store/port/index.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { Clock } from '../runtime/clock.js';
import { DURATION_FORM, INSTANT_FORM, isInstant, parseDuration } from '../workflow/index.js';

/**
 * The stored form of `startBefore`. A duration counts from the time at which the database stores the start.
 *
 * @throws InvalidArgumentError for a value of another form, and for one that is over before the execution is due
 */
export function checkStartBefore(
  { startBefore, runAt, delay }: PreparedOptions,
  clock: Pick<Clock, 'wallTime'>,
): StartLimit | null {
  if (startBefore === undefined) return null;
  const limit = limitOf(startBefore);
  const now = clock.wallTime();
  const at = limit.at?.getTime() ?? now + (limit.inMs ?? 0);
  const dueAt = runAt?.getTime() ?? now + (parseDuration(delay) ?? 0);
  if ((runAt === undefined && delay === undefined) || at > dueAt) return limit;
  throw new InvalidArgumentError(
    'startBefore',
    `must be later than ${runAt === undefined ? 'delay' : 'runAt'}, or the execution could never begin`,
  );
}

function limitOf(given: unknown): StartLimit {
  if (given instanceof Date) {
    // A copy: the caller may change its Date before the request is sent.
    if (isInstant(given)) return { at: new Date(given.getTime()), inMs: null };
    throw new InvalidArgumentError('startBefore', `must be ${INSTANT_FORM}`);
  }
  const ms = parseDuration(given);
  if (ms !== undefined && ms > 0) return { at: null, inMs: Math.ceil(ms) };
  throw new InvalidArgumentError(
    'startBefore',
    `must be a Date, or more than 0 ${DURATION_FORM}, not ${formatValue(given)}`,
  );
}
