import { textProblem } from './text.js';

/** Business keys of an execution, such as `{ customer: '17' }`, by which it is found. */
export type Tags = Readonly<Record<string, string>>;

const MAX_TAGS = 16;
const MAX_KEY_LENGTH = 64;
const MAX_VALUE_LENGTH = 256;

/**
 * What is wrong with tags, as a clause that follows their name; undefined for valid ones. It shows no value: what
 * identifies a customer has no place in an error.
 */
export function tagsProblem(tags: unknown): string | undefined {
  // An instance of Map or Date has no properties of its own: it would pass for no tags at all.
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

/** Tags as they are stored; null for none. */
export function encodeTags(tags: Tags | undefined): string | null {
  const entries = Object.entries(tags ?? {});
  // A copy, because a toJSON() that the object inherits would stand in for what was checked.
  return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries));
}

/** Stored tags; undefined for none. */
export function decodeTags(stored: string | null): Tags | undefined {
  return stored === null ? undefined : (JSON.parse(stored) as Tags);
}

/** Whether stored tags contain all of those that are looked for. */
export function hasTags(stored: string | null, wanted: string): boolean {
  const tags = new Map(Object.entries(decodeTags(stored) ?? {}));
  return Object.entries(decodeTags(wanted) ?? {}).every(([key, value]) => tags.get(key) === value);
}
