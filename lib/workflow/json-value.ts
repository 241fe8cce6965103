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

/** An object of JSON: what a context is. */
export type JsonObject = Record<string, unknown>;

/** The value of a JSON text. An own `__proto__` in it stays an own property. */
export function decodeJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return value;
}
