/** Characters that would move the cursor or change colors. Names and messages come from the database. */
// oxlint-disable-next-line no-control-regex -- it is about control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g;

/** A text of the database on one line, without control characters. */
export function oneLine(text: string, max = Infinity): string {
  const clean = text.replaceAll(CONTROL, ' ').trim();
  return clean.length > max ? `${clean.slice(0, max - 1)}…` : clean;
}

/** A text of several lines without other control characters: an error, a stack or a line of the log. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (found) => found.replaceAll(/[^\n\t]+/g, ' '));
}

/** `2026-01-31 20:00:00Z`, or a dash. */
export function time(at: Date | undefined | null): string {
  return at === undefined || at === null
    ? '–'
    : at
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z');
}

/** `1 tenant`, `2 tenants`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}

/** `Error: message` of a stored error on one line. */
export function errorText(
  error: { readonly name: string; readonly message: string } | undefined,
  max?: number,
): string {
  return error === undefined ? '' : oneLine(`${error.name}: ${error.message}`, max);
}
