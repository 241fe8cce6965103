/** Max segments of a shown path, and max characters of each. */
const MAX_SEGMENTS = 20;
const MAX_SEGMENT_LENGTH = 100;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** Formats a path in a JSON value, outermost key first, in the syntax of code: `items[3]["first name"]`. */
export function formatPath(path: readonly (string | number)[]): string {
  const shown = path.slice(0, MAX_SEGMENTS).map(formatSegment).join('');
  const more = path.length > MAX_SEGMENTS ? '…' : '';
  return (shown.startsWith('.') ? shown.slice(1) : shown) + more;
}

function formatSegment(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  const name = key.length > MAX_SEGMENT_LENGTH ? `${key.slice(0, MAX_SEGMENT_LENGTH - 1)}…` : key;
  // JSON.stringify escapes characters that cannot be stored, such as \u0000.
  return IDENTIFIER.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}
