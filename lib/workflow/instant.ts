/** The form of a time that can be stored, for messages. */
export const INSTANT_FORM = 'a valid Date, of the years 1 to 9999';

/** Whether the value is a valid Date of a year that PostgreSQL reads as JavaScript writes it. */
export function isInstant(value: unknown): value is Date {
  const year = value instanceof Date ? value.getUTCFullYear() : Number.NaN;
  return year >= 1 && year <= 9_999;
}
