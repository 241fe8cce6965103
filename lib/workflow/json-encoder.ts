import { isPlain, isStructure, resolveObject, type Structure } from './json-classes.js';
import { formatPath } from './json-path.js';
import { sanitizeText, textOfThrown, textProblem } from './text.js';

/** The JSON text of a value, or the part of it that JSON cannot carry. */
export type EncodeResult =
  { readonly ok: true; readonly json: string; /** In UTF-8. */ readonly bytes: number } | NotJson;

/** The JSON text of each key's value in a context, or the part that JSON cannot carry. */
export type EncodeEntriesResult =
  { readonly ok: true; readonly entries: ReadonlyMap<string, string> } | NotJson;

/** A part of a value that JSON cannot carry. */
export interface NotJson {
  readonly ok: false;
  /** The path of the part, such as `items[3].name`; empty for the value itself. */
  readonly path: string;
  /** The problem and what to do, as the rest of a sentence: `is a Map; …`. */
  readonly problem: string;
}

/** Max levels of nested objects and arrays. */
export const MAX_JSON_DEPTH = 1_000;
/**
 * The default limit of a JSON text, in characters: 64 Mi. Without a limit, encoding might never end: a few objects that
 * refer to each other many times, without a cycle, can have a text of any length.
 */
const MAX_JSON_LENGTH = 2 ** 26;

/** Max characters of a problem, which may contain a message of the object's own code. */
const MAX_PROBLEM_LENGTH = 300;
const UNDEFINED = 'is undefined; use null, or leave it out';
const PLAIN_ASCII = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * Encodes a value as JSON text. It never throws, and returns the problem if there is one.
 *
 * - An undefined property is left out, as in `JSON.stringify`, so that an optional field of a DTO may be undefined.
 * - Other values that `JSON.stringify` silently drops or changes are refused: `undefined` in an array or by itself,
 *   functions, symbols, NaN, holes, collections, binary data. So is text that PostgreSQL cannot store: `\u0000` and
 *   lone surrogates.
 * - A Date becomes its ISO string, and `toJSON` is called. Of other objects, the own enumerable properties with string
 *   keys are encoded. `__proto__` is a key like any other.
 *
 * @param maxLength - the longest text, in characters, default {@link MAX_JSON_LENGTH}
 */
export function encodeJson(value: unknown, maxLength = MAX_JSON_LENGTH): EncodeResult {
  return new JsonEncoder(maxLength).run(value);
}

/**
 * Encodes the value of each top-level key of a context as {@link encodeJson} does. Never throws.
 *
 * @param maxLength - the longest text of the whole context, in characters, default {@link MAX_JSON_LENGTH}
 */
export function encodeEntries(context: unknown, maxLength = MAX_JSON_LENGTH): EncodeEntriesResult {
  return new JsonEncoder(maxLength).runEntries(context);
}

/** One walk over one value. It reads each property once, so the written value is the checked one. */
class JsonEncoder {
  /** The objects around the current value, outermost first. */
  private readonly inside: object[] = [];
  /** The path of the problem, innermost key first. It is filled on the way out, so a success costs nothing. */
  private readonly path: (string | number)[] = [];
  private problem = '';
  /** Receives the texts of the outermost object's properties. */
  private topLevel: Map<string, string> | undefined;

  constructor(private readonly maxLength: number) {}

  run(value: unknown): EncodeResult {
    const json = this.encode(value, '');
    if (json === undefined) return this.failure();
    return { ok: true, json, bytes: Buffer.byteLength(json) };
  }

  runEntries(context: unknown): EncodeEntriesResult {
    const entries = new Map<string, string>();
    this.topLevel = entries;
    const result = this.run(context);
    if (!result.ok) return result;
    if (result.json.startsWith('{')) return { ok: true, entries };
    this.refuse('is not an object with named values; use one, such as { result: 1 }');
    return this.failure();
  }

  private failure(): NotJson {
    return { ok: false, path: formatPath(this.path.toReversed()), problem: this.problem };
  }

  /** The text, or `undefined` after noting a problem. */
  private encode(value: unknown, key: string | number): string | undefined {
    switch (typeof value) {
      case 'string':
        return this.encodeString(value, 'is a string that');
      case 'number':
        return Number.isFinite(value) ? String(value) : this.refuse(`is ${value}; use null`);
      case 'boolean':
        return value ? 'true' : 'false';
      case 'object':
        return isStructure(value) ? this.encodeStructure(value, key) : 'null';
      case 'undefined':
        return this.refuse(UNDEFINED);
      case 'bigint':
        return this.refuse('is a BigInt; use a string, or a number where it is small enough');
      default:
        return this.refuse(`is a ${typeof value}`);
    }
  }

  private encodeString(text: string, subject: string): string | undefined {
    if (text.length > this.maxLength) return this.refuseLength();
    if (PLAIN_ASCII.test(text)) return `"${text}"`;
    const problem = textProblem(text);
    return problem === undefined ? JSON.stringify(text) : this.refuse(`${subject} ${problem}`);
  }

  private encodeStructure(value: Structure, key: string | number): string | undefined {
    if (this.inside.length >= MAX_JSON_DEPTH) {
      return this.refuse(`is more than ${MAX_JSON_DEPTH} levels deep; flatten it`);
    }
    // Values usually have few levels, for which an array is quicker than a Set.
    if (this.inside.includes(value)) return this.refuse('refers to an object that contains it');
    try {
      if (isPlain(value)) return this.encodeMembers(value);
      const resolved = resolveObject(value, key);
      if (!resolved.ok) return this.refuse(resolved.problem);
      return isStructure(resolved.value)
        ? this.encodeMembers(resolved.value)
        : this.encode(resolved.value, key);
    } catch (error) {
      return this.refuseUnreadable(error);
    }
  }

  private encodeMembers(value: Structure): string | undefined {
    this.inside.push(value);
    const json = Array.isArray(value) ? this.encodeItems(value) : this.encodeProperties(value);
    this.inside.pop();
    return json;
  }

  private encodeItems(items: unknown[]): string | undefined {
    let json = '[';
    for (let index = 0; index < items.length; index++) {
      const item = items[index];
      const text =
        item === undefined && !(index in items)
          ? this.refuse('is a hole in an array; use null')
          : this.encode(item, index);
      if (text === undefined) return this.refuseAt(index);
      json += index === 0 ? text : `,${text}`;
      if (json.length > this.maxLength) return this.refuseLength();
    }
    return `${json}]`;
  }

  private encodeProperties(record: Record<string, unknown>): string | undefined {
    let json = '{';
    for (const key of Object.keys(record)) {
      const name = this.encodeString(key, 'has a name that');
      const text = name === undefined ? undefined : this.encodeProperty(record, key);
      if (text === undefined) {
        if (this.takesAsAbsent()) continue;
        return this.refuseAt(key);
      }
      json += json.length === 1 ? `${name}:${text}` : `,${name}:${text}`;
      if (json.length > this.maxLength) return this.refuseLength();
      if (this.inside.length === 1) this.topLevel?.set(key, text);
    }
    return `${json}}`;
  }

  /** Whether the only problem is that the property, or the result of its `toJSON`, is undefined. Clears the problem. */
  private takesAsAbsent(): boolean {
    if (this.problem !== UNDEFINED || this.path.length > 0) return false;
    this.problem = '';
    return true;
  }

  private encodeProperty(record: Record<string, unknown>, key: string): string | undefined {
    let value: unknown;
    try {
      value = record[key];
    } catch (error) {
      return this.refuseUnreadable(error);
    }
    return this.encode(value, key);
  }

  private refuse(problem: string): undefined {
    this.problem = sanitizeText(problem, MAX_PROBLEM_LENGTH);
  }

  private refuseAt(key: string | number): undefined {
    this.path.push(key);
  }

  private refuseLength(): undefined {
    this.refuse(`is longer than ${this.maxLength} characters as JSON; store it elsewhere`);
  }

  private refuseUnreadable(error: unknown): undefined {
    this.refuse(`cannot be read: ${textOfThrown(error, MAX_PROBLEM_LENGTH)}`);
  }
}
