import ms from 'ms';

/** Milliseconds, or a string such as `'250ms'`, `'30s'`, `'15m'`, `'2h'`, `'7d'`. */
export type Duration = number | string;

/**
 * The longest duration accepted, in milliseconds: ten years. What is longer is a slip, such as a date taken for a
 * number of milliseconds.
 */
export const MAX_DURATION_MS = 315_576_000_000;

/** For messages: what a duration may look like. */
export const DURATION_FORM =
  "milliseconds, or a string such as '250ms', '30s', '15m', '2h' or '7d', at most ten years";

// ms alone would take '100' and '-1h' too. A number whose unit was forgotten is the mistake to catch.
const NUMBER_AND_UNIT = /^\d{1,15}(?:\.\d{1,15})? ?[a-z]{1,12}$/i;

/**
 * The duration in whole milliseconds; `undefined` when `value` is not a finite, non-negative duration of at most
 * {@link MAX_DURATION_MS}. A string needs its unit: `'100'` is refused.
 */
export function parseDuration(value: unknown): number | undefined {
  const milliseconds = typeof value === 'string' ? parseText(value) : value;
  if (typeof milliseconds !== 'number') return undefined;
  if (!(milliseconds >= 0 && milliseconds <= MAX_DURATION_MS)) return undefined;
  return Math.round(milliseconds);
}

/** `undefined` for an unknown unit, whatever the types of `ms` say. */
function parseText(text: string): number | undefined {
  return isNumberAndUnit(text) ? ms(text) : undefined;
}

function isNumberAndUnit(text: string): text is ms.StringValue {
  return NUMBER_AND_UNIT.test(text);
}
