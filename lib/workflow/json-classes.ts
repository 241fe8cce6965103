/** An object or array with members of any type. */
export type Structure = unknown[] | Record<string, unknown>;

/** The JSON form of an object: a primitive, a structure whose own members are used, or a problem. */
export type Resolution =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; /** The rest of a sentence. */ readonly problem: string };

/** Objects that JSON.stringify silently turns into `{}`, by their tag, each with what to store instead. */
const NOT_JSON: Readonly<Record<string, string>> = {
  Map: 'is a Map; use Object.fromEntries(map)',
  Set: 'is a Set; use [...set]',
  WeakMap: 'is a WeakMap, which cannot be listed',
  WeakSet: 'is a WeakSet, which cannot be listed',
  WeakRef: 'is a WeakRef',
  Promise: 'is a Promise; await it first',
  RegExp: 'is a RegExp; use its source',
  Error: 'is an Error; use its message',
  BigInt: 'is a BigInt; use a string, or a number where it is small enough',
  Symbol: 'is a symbol',
  Generator: 'is a generator; use [...generator]',
  AsyncGenerator: 'is an async generator; collect it into an array',
};

/** Whether the value is an object or array. */
export function isStructure(value: unknown): value is Structure {
  return typeof value === 'object' && value !== null;
}

/** Whether the object is a plain object or array without `toJSON`. A quick test for the usual case. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === Array.prototype || prototype === null) &&
    !('toJSON' in value)
  );
}

/** The JSON form of an object that is not {@link isPlain}. Runs code of the object, which may throw. */
export function resolveObject(value: object, key: string | number): Resolution {
  const tag = tagOf(value);
  // Refused, although Buffer has a toJSON: it makes a list of numbers that is four times as large.
  if (ArrayBuffer.isView(value) || tag === 'ArrayBuffer' || tag === 'SharedArrayBuffer') {
    return { ok: false, problem: 'is binary data; use a string, such as base64' };
  }
  if (tag === 'Date') return resolveDate(value);
  if (!('toJSON' in value) || typeof value.toJSON !== 'function') return resolveMembers(value);
  const replacement: unknown = value.toJSON(String(key));
  return isStructure(replacement) ? resolveMembers(replacement) : { ok: true, value: replacement };
}

function resolveDate(value: object): Resolution {
  // The methods of the prototype accept a Date of another realm, and refuse an object that only has the tag of a Date.
  return Number.isNaN(Date.prototype.getTime.call(value))
    ? { ok: false, problem: 'is an invalid Date' }
    : { ok: true, value: Date.prototype.toISOString.call(value) };
}

function resolveMembers(value: object): Resolution {
  const tag = tagOf(value);
  const problem = Object.hasOwn(NOT_JSON, tag) ? NOT_JSON[tag] : undefined;
  if (problem !== undefined) return { ok: false, problem };
  if (tag === 'Number') return { ok: true, value: Number.prototype.valueOf.call(value) };
  if (tag === 'String') return { ok: true, value: String.prototype.valueOf.call(value) };
  if (tag === 'Boolean') return { ok: true, value: Boolean.prototype.valueOf.call(value) };
  // Other objects with their own tag and without keys (iterators, streams, headers) would be stored as {}.
  if (tag !== 'Object' && tag !== 'Array' && Object.keys(value).length === 0) {
    return { ok: false, problem: `is of type ${tag}, which JSON would store as {}` };
  }
  return { ok: true, value };
}

/** The class tag of an object. Unlike `instanceof`, it works for objects of any realm. */
function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
