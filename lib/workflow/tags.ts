import { textProblem } from './text.js';

/** Business keys by which an execution is found, such as `{ customer: '17' }`. */
export type Tags = Readonly<Record<string, string>>;

const MAX_TAGS = 16;
const MAX_KEY_LENGTH = 64;
const MAX_VALUE_LENGTH = 256;

/**
 * The problem with tags, as a clause that follows their name; undefined if they are valid. The clause contains no
 * value, because values identify customers and must not appear in errors.
 */
export function tagsProblem(tags: unknown): string | undefined {
  // A Map or a Date has no own properties, so it would count as an object without tags.
  if (Object.prototype.toString.call(tags) !== '[object Object]') {
    return "must be an object of strings, such as { customer: '17' }";
  }
  const entries: [string, unknown][] = Object.entries(tags as object);
  if (entries.length > MAX_TAGS) return `must be at most ${MAX_TAGS}, not ${entries.length}`;
  for (const [key, value] of entries) {
    const problem = entryProblem(key, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function entryProblem(key: string, value: unknown): string | undefined {
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
    return `must have keys of 1 to ${MAX_KEY_LENGTH} characters`;
  }
  const keyProblem = textProblem(key);
  if (keyProblem !== undefined) return `has a key that ${keyProblem}`;
  const named = `must have a string of at most ${MAX_VALUE_LENGTH} characters as ${JSON.stringify(key)}`;
  if (typeof value !== 'string') {
    return `${named}, not ${value === null ? 'null' : `a value of type ${typeof value}`}`;
  }
  if (value.length > MAX_VALUE_LENGTH) return `${named}, not one of ${value.length}`;
  const valueProblem = textProblem(value);
  return valueProblem === undefined
    ? undefined
    : `has a value of ${JSON.stringify(key)} that ${valueProblem}`;
}

/** The stored form of tags; null for none. */
export function encodeTags(tags: Tags | undefined): string | null {
  const entries = Object.entries(tags ?? {});
  // A copy, because an inherited toJSON() would replace the checked tags.
  return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries));
}

/** Parses stored tags; undefined for none. */
export function decodeTags(stored: string | null): Tags | undefined {
  return stored === null ? undefined : (JSON.parse(stored) as Tags);
}

/** Whether stored tags contain all wanted tags. */
export function hasTags(stored: string | null, wanted: string): boolean {
  const tags = new Map(Object.entries(decodeTags(stored) ?? {}));
  return Object.entries(decodeTags(wanted) ?? {}).every(([key, value]) => tags.get(key) === value);
}
