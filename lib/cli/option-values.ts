import { InvalidArgumentError } from 'commander';

/** Parsers of options. Commander adds the name of the option to their messages. */

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** A date, or a time span before now such as `2h`. */
export function pastTime(text: string): Date {
  const [, count, unit = ''] = /^(\d+)(s|m|h|d)$/.exec(text) ?? [];
  const span = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
  const at = span === undefined ? isoDate(text) : new Date(Date.now() - Number(count) * span);
  if (at !== undefined && !Number.isNaN(at.getTime())) return at;
  throw new InvalidArgumentError(
    'It must be a date (ISO 8601), or a time span such as 30m, 2h or 7d.',
  );
}

export function date(text: string): Date {
  const at = isoDate(text);
  if (at !== undefined) return at;
  throw new InvalidArgumentError('It must be a date (ISO 8601), such as 2026-01-31T20:00:00Z.');
}

const ISO_DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/i;

/** A date as people and this program write it. `new Date` would take a forgotten unit, such as `5`, for a day of the year 2001. */
function isoDate(text: string): Date | undefined {
  if (!ISO_DATE.test(text)) return undefined;
  const at = new Date(text.replace(' ', 'T'));
  return Number.isNaN(at.getTime()) ? undefined : at;
}

/** Collects `key=value` of an option that is given several times. */
export function tag(text: string, tags: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return { ...tags, [text.slice(0, at)]: text.slice(at + 1) };
}
