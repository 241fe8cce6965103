import { InvalidContextError } from '../../errors/index.js';
import { encodeEntries, encodeJson } from '../../workflow/index.js';

const IDENTIFIER = /^[A-Za-z_$][\w$]*/;
const QUOTED = /^\[("(?:[^"\\]|\\.)*")\]/;

/**
 * Returns the keys of an object, each with the JSON text of its value.
 *
 * @param whole - the name of the object in an error about the whole of it
 * @throws InvalidContextError with the key and the path of the problem if the value is not a storable object
 */
export function encodeContext(context: unknown, whole: string): ReadonlyMap<string, string> {
  const encoded = encodeEntries(context);
  if (encoded.ok) return encoded.entries;
  throw new InvalidContextError(keyOf(encoded.path), encoded.path, encoded.problem, { whole });
}

/** @throws InvalidContextError for a key that cannot be stored */
export function checkKey(key: unknown): asserts key is string {
  const name = typeof key === 'string' ? key : String(key);
  if (typeof key !== 'string') {
    throw new InvalidContextError(name, name, `as a key is a ${typeof key}; use a string`);
  }
  const encoded = encodeJson(key);
  if (!encoded.ok) throw new InvalidContextError(key, key, `as a key ${encoded.problem}`);
}

/** The first key of a path. It may be written as `["first name"]`. */
function keyOf(path: string): string {
  const identifier = IDENTIFIER.exec(path)?.[0];
  if (identifier !== undefined) return identifier;
  const quoted = QUOTED.exec(path)?.[1];
  return quoted === undefined ? '' : String(JSON.parse(quoted));
}
