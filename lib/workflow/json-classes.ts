/** An object or array, whose members may be anything. */
export type Structure = unknown[] | Record<string, unknown>;

/** What stands for an object in JSON: a primitive, a structure whose members are taken as they are, or nothing. */
export type Resolution =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; /** The rest of a sentence. */ readonly problem: string };

/** Objects that JSON.stringify turns into `{}` without a word, by their tag, and what to store in their place. */
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

/** Whether the value has members at all. */
export function isStructure(value: unknown): value is Structure {
  return typeof value === 'object' && value !== null;
}

/** Whether own properties are all there is to the object: the usual case, told at little cost. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === Array.prototype || prototype === null) &&
    !('toJSON' in value)
  );
}

/** What stands for an object that is not {@link isPlain}. Runs the object's code, which may throw. */
export function resolveObject(value: object, key: string | number): Resolution {
  const tag = tagOf(value);
  // Buffer has a toJSON, which makes a list of numbers four times its size: not what anyone means.
  if (ArrayBuffer.isView(value) || tag === 'ArrayBuffer' || tag === 'SharedArrayBuffer') {
    return { ok: false, problem: 'is binary data; use a string, such as base64' };
  }
  if (tag === 'Date') return resolveDate(value);
  if (!('toJSON' in value) || typeof value.toJSON !== 'function') return resolveMembers(value);
  const replacement: unknown = value.toJSON(String(key));
  return isStructure(replacement) ? resolveMembers(replacement) : { ok: true, value: replacement };
}

function resolveDate(value: object): Resolution {
  // By the prototype's methods: they refuse what only says that it is a Date, and take one of another realm.
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
  // Of what else has a tag of its own (iterators, streams, headers), nothing would be stored either.
  if (tag !== 'Object' && tag !== 'Array' && Object.keys(value).length === 0) {
    return { ok: false, problem: `is of type ${tag}, of which JSON would keep nothing` };
  }
  return { ok: true, value };
}

/** Of objects of any realm, unlike `instanceof`. */
function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
