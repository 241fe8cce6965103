import { encodeJson } from './json-encoder.js';
import { isStructure } from './json-classes.js';

export { encodeJson, MAX_JSON_DEPTH, MAX_JSON_LENGTH, type EncodeResult } from './json-encoder.js';
export { canonicalJson, jsonEquals } from './json-equality.js';
export { describeError, type ErrorDescription } from './stored-error.js';
export { sanitiseText } from './text.js';

/** An object of JSON: what a context is. */
export type JsonObject = Record<string, unknown>;

/** A context's keys, each with the JSON text of its value, or what JSON cannot carry and where it is. */
export type EncodeEntriesResult =
  | { readonly ok: true; readonly entries: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly path: string; readonly problem: string };

/**
 * Takes a context apart by its top-level keys, each value as {@link encodeJson} gives it.
 *
 * @param maxLength - of each value, in characters
 */
export function encodeEntries(context: unknown, maxLength?: number): EncodeEntriesResult {
  if (!isStructure(context) || Array.isArray(context)) {
    return { ok: false, path: '', problem: 'is not an object; a context has named values' };
  }
  const whole = encodeJson(context, maxLength);
  if (!whole.ok) return whole;
  const entries = new Map<string, string>();
  // From the text, not from the object: what toJSON or a getter gave once is what counts.
  const decoded = decodeJson(whole.json);
  if (!isStructure(decoded) || Array.isArray(decoded)) {
    return { ok: false, path: '', problem: 'is not an object; a context has named values' };
  }
  for (const key of Object.keys(decoded)) entries.set(key, JSON.stringify(decoded[key]));
  return { ok: true, entries };
}

/** The value of a JSON text. An own `__proto__` in it stays an own property. */
export function decodeJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return value;
}
