import { inspect } from 'node:util';
import { didYouMean } from './did-you-mean.js';
import { DURATION_FORM, parseDuration } from '../workflow/duration.js';

/** Checks the value of an option. Returns the problem as a clause that follows the option's name, or undefined. */
export type Check = (value: unknown) => string | undefined;
/** The known options, each with its check. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check };

/**
 * The problems of an object of options. Each is a sentence that begins with `owner`. An undefined option counts as
 * absent, because a ConfigService returns undefined for a missing setting.
 */
export function checkOptions<Options>(
  owner: string,
  options: unknown,
  checks: Checks<Options>,
): string[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [`${owner}: the options must be an object, not ${formatValue(options)}.`];
  }
  const known = new Map<string, Check>(Object.entries(checks));
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const check = known.get(name);
    if (check === undefined) {
      return [
        `${owner}: there is no option ${JSON.stringify(name)}.${didYouMean(name, known.keys())}`,
      ];
    }
    const problem = check(value);
    return problem === undefined ? [] : [`${owner}: ${name} ${problem}.`];
  });
}

/** A short form of a value, for messages. Not for values that may contain a secret. */
export function formatValue(value: unknown): string {
  try {
    if (typeof value === 'function') return value.name === '' ? 'a function' : value.name;
    const shown = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 60 });
    return shown.length > 100 ? `${shown.slice(0, 99)}…` : shown;
  } catch {
    return `a ${typeof value}`;
  }
}

/** Accepts any value; another check follows elsewhere. */
export const anything: Check = () => undefined;

/** `true` or `false`. */
export const flag: Check = (value) =>
  typeof value === 'boolean' ? undefined : `must be true or false, not ${formatValue(value)}`;

/** A string of 1 to `max` characters, without control characters. */
export function text(max: number): Check {
  return (value) => {
    const good =
      typeof value === 'string' &&
      value.trim() !== '' &&
      value.length <= max &&
      !/\p{Cc}/u.test(value);
    return good
      ? undefined
      : `must be a string of 1 to ${max} characters, not ${formatValue(value)}`;
  };
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return (value) => {
    const good =
      typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
    return good ? undefined : `must be a whole number ${range}, not ${formatValue(value)}`;
  };
}

/** A duration of at least `minMs` and at most `maxMs` milliseconds. */
export function duration(minMs = 0, maxMs = Number.POSITIVE_INFINITY): Check {
  return (value) => {
    const ms = parseDuration(value);
    if (ms === undefined) return `must be ${DURATION_FORM}, not ${formatValue(value)}`;
    if (ms < minMs) return `must be at least ${minMs} ms, not ${formatValue(value)}`;
    return ms > maxMs ? `must be at most ${maxMs} ms, not ${formatValue(value)}` : undefined;
  };
}

/** One of a few strings. */
export function oneOf(...values: readonly string[]): Check {
  const list = values.map((value) => JSON.stringify(value)).join(' or ');
  return (value) =>
    typeof value === 'string' && values.includes(value)
      ? undefined
      : `must be ${list}, not ${formatValue(value)}`;
}

/** A function. */
export const callable: Check = (value) =>
  typeof value === 'function' ? undefined : `must be a function, not ${formatValue(value)}`;

/** An array in which every member passes a check. */
export function listOf(what: string, isMember: (value: unknown) => boolean): Check {
  return (value) => {
    if (!Array.isArray(value)) return `must be an array of ${what}, not ${formatValue(value)}`;
    const at = value.findIndex((member) => !isMember(member));
    if (at === -1) return undefined;
    const hint = value[at] === undefined ? ' (is there a circular import between files?)' : '';
    return `must be an array of ${what}, but [${at}] is ${formatValue(value[at])}${hint}`;
  };
}
