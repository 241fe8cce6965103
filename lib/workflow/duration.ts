import ms from 'ms';

/** A duration: a number of milliseconds, or a string such as `'250ms'`, `'30s'`, `'15m'`, `'2h'`, `'7d'`. */
export type Duration = number | string;

/**
 * The longest accepted duration, in milliseconds: ten years. A longer one is probably a mistake, such as a timestamp in
 * place of a duration.
 */
export const MAX_DURATION_MS = 315_576_000_000;

/** The forms of a duration, for messages. */
export const DURATION_FORM =
  "milliseconds, or a string such as '250ms', '30s', '15m', '2h' or '7d', at most ten years";

// ms() also accepts '100' and '-1h'. This pattern refuses them, to catch a forgotten unit.
const NUMBER_AND_UNIT = /^\d{1,15}(?:\.\d{1,15})? ?[a-z]{1,12}$/i;

/**
 * Parses a duration into whole milliseconds. Returns `undefined` unless the duration is from 0 to {@link
 * MAX_DURATION_MS}. A string needs a unit: `'100'` is refused.
 */
export function parseDuration(value: unknown): number | undefined {
  const milliseconds = typeof value === 'string' ? parseText(value) : value;
  if (typeof milliseconds !== 'number') return undefined;
  if (!(milliseconds >= 0 && milliseconds <= MAX_DURATION_MS)) return undefined;
  return Math.round(milliseconds);
}

/** Returns `undefined` for an unknown unit, although the types of `ms` do not say so. */
function parseText(text: string): number | undefined {
  return isNumberAndUnit(text) ? ms(text) : undefined;
}

function isNumberAndUnit(text: string): text is ms.StringValue {
  return NUMBER_AND_UNIT.test(text);
}
