export {
  encodeEntries,
  encodeJson,
  MAX_JSON_DEPTH,
  type EncodeEntriesResult,
  type EncodeResult,
  type NotJson,
} from './json-encoder.js';
export { describeError } from './describe-error.js';
export { sanitizeText, textProblem } from './text.js';

/** A JSON object, such as a context. */
export type JsonObject = Record<string, unknown>;

/** Parses a JSON text. A key `__proto__` becomes an own property. */
export function decodeJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return value;
}
