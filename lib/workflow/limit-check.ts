import { checkDuration, checkName, optional, type Report } from './field-check.js';
import { isRecord } from './json-equality.js';
import {
  defaultBurst,
  FAIR_LIMIT,
  MAX_CONCURRENCY,
  MAX_LIMIT_NAME_LENGTH,
  type CheckedNumbers,
  type CheckedRate,
  type TaskLimit,
} from './limit.js';
import { formatRule } from './rule-check.js';
import { textProblem } from './text.js';

const MAX_RATE = 1_000_000;
const MAX_BURST = 100_000;
const MAX_PATH_LENGTH = 200;
const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'key',
  'concurrency',
  'rate',
  'total',
  'order',
]);
const RATE_FIELDS: ReadonlySet<string> = new Set(['limit', 'per', 'burst']);

/** The limit that a task names, and the numbers that it gives to it. */
export interface CheckedLimit {
  readonly limit: TaskLimit;
  /** Absent if the task gives none. */
  readonly numbers?: CheckedNumbers;
}

/** Checks the limit of a task, and reports all problems. The result is only usable without problems. */
export function checkLimit(source: unknown, report: Report): CheckedLimit {
  const say: Report = (problem) => report(`has a limit that ${problem}`);
  if (typeof source === 'string') return { limit: { name: checkLimitName(source, say) } };
  if (!isRecord(source)) {
    say(`is ${formatRule(source)}; it must be the name of a limit, or an object with a name`);
    return { limit: { name: '' } };
  }
  checkFields(source, FIELDS, say);
  const numbers = {
    ...checkNumbers(source, say),
    ...optional('isStrict', checkOrder(source, say)),
  };
  return {
    limit: {
      name: checkLimitName(source.name, say),
      ...optional('key', source.key === undefined ? undefined : checkPath(source.key, say)),
    },
    ...(Object.keys(numbers).length === 0 ? {} : { numbers }),
  };
}

/** The limit of a task that names only the path of a key, for turns. */
export function fairLimit(path: unknown, report: Report): TaskLimit {
  const say: Report = (problem) => report(problem.replace('the key', 'the fairKey'));
  return { name: FAIR_LIMIT, key: checkPath(path, say) };
}

/** Checks the numbers of a limit, and fills in the burst. */
export function checkNumbers(source: Record<string, unknown>, say: Report): CheckedNumbers {
  const { concurrency, rate, total } = source;
  return {
    ...optional('concurrency', checkCount(concurrency, 'concurrency', 0, MAX_CONCURRENCY, say)),
    ...optional('rate', rate === undefined ? undefined : checkRate(rate, say)),
    ...optional('total', checkCount(total, 'total', 0, MAX_CONCURRENCY, say)),
  };
}

function checkOrder(
  { order, concurrency }: Record<string, unknown>,
  say: Report,
): true | undefined {
  if (order === undefined) return undefined;
  if (order !== 'strict') say(`has the order ${formatRule(order)}; it must be 'strict'`);
  else if (concurrency !== 1) say("has the order 'strict', which needs concurrency: 1");
  return true;
}

/** Checks the name of a limit. */
export function checkLimitName(name: unknown, say: Report): string {
  const checked = checkName(name, say);
  if (checked.length > MAX_LIMIT_NAME_LENGTH) {
    say(`has a name of ${checked.length} characters; at most ${MAX_LIMIT_NAME_LENGTH} are allowed`);
  }
  return checked;
}

/** Checks a rate, and fills in the burst. */
export function checkRate(rate: unknown, say: Report): CheckedRate {
  if (!isRecord(rate)) {
    say(`has the rate ${formatRule(rate)}; it must be an object such as { limit: 90, per: '1s' }`);
    return { limit: 1, perMs: 1, burst: 1 };
  }
  checkFields(rate, RATE_FIELDS, (problem) => say(`${problem} in its rate`));
  for (const field of ['limit', 'per'] as const) {
    if (rate[field] === undefined) say(`has a rate without '${field}'; add it`);
  }
  const limit = checkCount(rate.limit, 'rate.limit', 1, MAX_RATE, say) ?? 1;
  const perMs = checkDuration(rate.per, 'rate.per', say) ?? 1;
  if (perMs === 0) say('has a rate.per of 0; set a longer one');
  const burst = checkCount(rate.burst, 'rate.burst', 1, MAX_BURST, say) ?? defaultBurst(limit);
  return { limit, perMs, burst };
}

/** Checks an optional whole number. */
export function checkCount(
  value: unknown,
  field: string,
  least: number,
  most: number,
  say: Report,
): number | undefined {
  if (value === undefined) return undefined;
  const isCount =
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
  if (isCount) return value;
  say(`has the ${field} ${formatRule(value)}; it must be a whole number from ${least} to ${most}`);
  return undefined;
}

/** A path such as `customer.id`: names of members, separated by dots. */
export function checkPath(path: unknown, say: Report): string {
  const form = "it must be a path in the input, such as 'accountId' or 'customer.id'";
  if (typeof path !== 'string' || path.length > MAX_PATH_LENGTH || path.split('.').includes('')) {
    say(`has the key ${formatRule(path)}; ${form}`);
    return '';
  }
  const problem = textProblem(path);
  if (problem !== undefined) say(`has a key that ${problem}`);
  return path;
}

/** Reports unknown members. */
export function checkFields(source: object, known: ReadonlySet<string>, say: Report): void {
  for (const [field, value] of Object.entries(source)) {
    if (value !== undefined && !known.has(field)) {
      say(`has the unknown member ${formatRule(field)}`);
    }
  }
}
