/** Segments of a path that are shown, and characters of each: deep structures have long paths. */
const MAX_SEGMENTS = 20;
const MAX_SEGMENT_LENGTH = 100;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** Where something is in a JSON value, from the outermost key on, as code would say it: `items[3]["first name"]`. */
export function formatPath(path: readonly (string | number)[]): string {
  const shown = path.slice(0, MAX_SEGMENTS).map(formatSegment).join('');
  const more = path.length > MAX_SEGMENTS ? '…' : '';
  return (shown.startsWith('.') ? shown.slice(1) : shown) + more;
}

function formatSegment(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  const name = key.length > MAX_SEGMENT_LENGTH ? `${key.slice(0, MAX_SEGMENT_LENGTH - 1)}…` : key;
  // As JSON, what cannot be stored is spelled out, such as \u0000.
  return IDENTIFIER.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}
