import vm from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeJson,
  encodeEntries,
  encodeJson,
  MAX_JSON_DEPTH,
  type EncodeResult,
} from '../../../lib/workflow/json-value.js';

/** The JSON text, or where and what the problem is. */
function outcome(result: EncodeResult): string {
  return result.ok ? result.json : `${result.path}: ${result.problem}`;
}

function nested(levels: number): unknown {
  let value: unknown = 'core';
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

class Account {
  readonly #secret = 'hidden';
  readonly id = 7;
  get masked(): string {
    return this.#secret;
  }
}
class Money {
  constructor(private readonly cents: number) {}
  toJSON(key: string): unknown {
    return { key, euros: this.cents / 100 };
  }
}
class EventDate extends Date {}

describe('encodeJson', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'null'],
    ['booleans', [true, false], '[true,false]'],
    ['numbers', [0, -0, 1.5, -3, 1e21, 5e-324], '[0,0,1.5,-3,1e+21,5e-324]'],
    [
      'strings',
      ['', 'a"b\\c', 'ü😀', '\n\u001f\u2028'],
      '["","a\\"b\\\\c","ü😀","\\n\\u001f\u2028"]',
    ],
    ['empty structures', [{}, []], '[{},[]]'],
    ['nested structures', { a: { b: [1, { c: null }] }, d: 2 }, '{"a":{"b":[1,{"c":null}]},"d":2}'],
    ['odd keys', { '': 1, 'ä "x"': 2 }, '{"":1,"ä \\"x\\"":2}'],
    ['objects without a prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['a Date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['a subclass of Date', new EventDate(0), '"1970-01-01T00:00:00.000Z"'],
    ['an instance of a class', new Account(), '{"id":7}'],
    ['toJSON, with its key', { price: new Money(150) }, '{"price":{"key":"price","euros":1.5}}'],
    ['toJSON in an array', [new Money(0)], '[{"key":"0","euros":0}]'],
    ['toJSON that gives a primitive', { toJSON: () => 'x' }, '"x"'],
    ['toJSON that is data', { toJSON: 5 }, '{"toJSON":5}'],
    ['a Map that says how', Object.assign(new Map(), { toJSON: () => [1] }), '[1]'],
    ['a URL', new URL('https://example.com/x'), '"https://example.com/x"'],
    ['boxed primitives', [Object(1), Object('s'), Object(false)], '[1,"s",false]'],
    ['an array of another realm', vm.runInNewContext('[{ a: [1] }]'), '[{"a":[1]}]'],
    [
      'empty ones of no special kind',
      [Object.create({}), vm.runInNewContext('[[], {}]')],
      '[{},[[],{}]]',
    ],
    ['a Date of another realm', vm.runInNewContext('new Date(0)'), '"1970-01-01T00:00:00.000Z"'],
    ['a proxy', new Proxy({ a: [1] }, {}), '{"a":[1]}'],
    ['the same object twice', ((x) => [x, { x }])({ a: 1 }), '[{"a":1},{"x":{"a":1}}]'],
    ['symbol keys, which are no data', { [Symbol('s')]: 1, a: 2 }, '{"a":2}'],
    ['a tag that says Map', { [Symbol.toStringTag]: 'Map', a: 1 }, '{"a":1}'],
  ])('writes %s', (_what, value, json) => {
    expect(outcome(encodeJson(value))).toBe(json);
  });

  it('lets toJSON give the object itself', () => {
    const self = {
      a: 1,
      toJSON(): unknown {
        return this;
      },
    };
    expect(outcome(encodeJson({ self }))).toBe('self.toJSON: is a function');
    expect(outcome(encodeJson(Object.defineProperty(self, 'toJSON', { enumerable: false })))).toBe(
      '{"a":1}',
    );
  });

  it.each<[string, unknown, string]>([
    ['undefined', undefined, ': is undefined; use null, or leave it out'],
    [
      'undefined in an array',
      { a: [1, { b: [undefined] }] },
      'a[1].b[0]: is undefined; use null, or leave it out',
    ],
    ['a function', { f: () => 1 }, 'f: is a function'],
    ['a symbol', [Symbol('s')], '[0]: is a symbol'],
    ['a BigInt', { n: 1n }, 'n: is a BigInt; use a string, or a number where it is small enough'],
    [
      'a boxed BigInt',
      Object(1n),
      ': is a BigInt; use a string, or a number where it is small enough',
    ],
    ['a boxed symbol', Object(Symbol('s')), ': is a symbol'],
    ['NaN', { x: Number.NaN }, 'x: is NaN; use null'],
    ['Infinity', [Number.NEGATIVE_INFINITY], '[0]: is -Infinity; use null'],
    ['a boxed NaN', [Object(Number.NaN)], '[0]: is NaN; use null'],
    ['an invalid Date', { at: new Date(Number.NaN) }, 'at: is an invalid Date'],
    ['a Map', { m: new Map() }, 'm: is a Map; use Object.fromEntries(map)'],
    [
      'a Map of another realm',
      vm.runInNewContext('new Map()'),
      ': is a Map; use Object.fromEntries(map)',
    ],
    ['a Set', new Set([1]), ': is a Set; use [...set]'],
    ['a WeakMap', new WeakMap(), ': is a WeakMap, which cannot be listed'],
    ['a Promise', { p: Promise.resolve(1) }, 'p: is a Promise; await it first'],
    ['a RegExp', /x/, ': is a RegExp; use its source'],
    ['an Error', { e: new TypeError('x') }, 'e: is an Error; use its message'],
    ['a Buffer', { b: Buffer.from('x') }, 'b: is binary data; use a string, such as base64'],
    ['a typed array', new Float64Array(2), ': is binary data; use a string, such as base64'],
    ['an ArrayBuffer', new ArrayBuffer(2), ': is binary data; use a string, such as base64'],
    [
      'a SharedArrayBuffer',
      new SharedArrayBuffer(2),
      ': is binary data; use a string, such as base64',
    ],
    ['an iterator', [1].values(), ': is of type Array Iterator, which JSON would store as {}'],
    [
      'URL parameters',
      new URLSearchParams('a=1'),
      ': is of type URLSearchParams, which JSON would store as {}',
    ],
    [
      'toJSON that gives undefined in an array',
      [{ toJSON: () => undefined }],
      '[0]: is undefined; use null, or leave it out',
    ],
    ['toJSON that gives a Set', { a: { toJSON: () => new Set() } }, 'a: is a Set; use [...set]'],
    // oxlint-disable-next-line no-sparse-arrays
    ['a hole', { a: [1, , 2] }, 'a[1]: is a hole in an array; use null'],
    [
      'a long array of holes',
      Array.from({ length: 0 }).concat(new Array(1e9)),
      '[0]: is a hole in an array; use null',
    ],
    [
      'NUL',
      { s: 'a\u0000' },
      's: is a string that contains \\u0000, which PostgreSQL cannot store; remove it',
    ],
    [
      'NUL in a key',
      { x: { 'a\u0000': 1 } },
      'x["a\\u0000"]: has a name that contains \\u0000, which PostgreSQL cannot store; remove it',
    ],
    [
      'half a pair',
      ['\ud83d'],
      '[0]: is a string that contains half of a surrogate pair, which is not valid Unicode; perhaps it was cut inside an emoji',
    ],
    [
      'half a pair in a key',
      { '\ude00x': 1 },
      '["\\ude00x"]: has a name that contains half of a surrogate pair, which is not valid Unicode; perhaps it was cut inside an emoji',
    ],
  ])('refuses %s', (_what, value, problem) => {
    expect(outcome(encodeJson(value))).toBe(problem);
  });

  it('refuses cycles', () => {
    const order: Record<string, unknown> = { id: 1 };
    order.lines = [{ order }];
    expect(outcome(encodeJson({ order }))).toBe(
      'order.lines[0].order: refers to an object that contains it',
    );
    const list: unknown[] = [];
    list.push(list);
    expect(outcome(encodeJson(list))).toBe('[0]: refers to an object that contains it');
  });

  it('ends where toJSON goes on for ever', () => {
    const endless = (): unknown => ({ toJSON: () => ({ next: endless() }) });
    const result = encodeJson(endless());
    expect(result).toMatchObject({
      ok: false,
      problem: 'is more than 1000 levels deep; flatten it',
    });
  });

  it('writes 1,000 levels and refuses more, however many', () => {
    expect(encodeJson(nested(MAX_JSON_DEPTH))).toMatchObject({ ok: true });
    expect(outcome(encodeJson(nested(MAX_JSON_DEPTH + 1)))).toMatch(
      /^\[0\]\.a\[0\].*…: is more than 1000 levels deep; flatten it$|^a\[0\].*…: is more than/,
    );
    expect(encodeJson(nested(200_000))).toMatchObject({ ok: false });
  });

  it('ends where objects refer to each other 2^60 times', () => {
    let value: unknown = 'x';
    for (let level = 0; level < 60; level++) value = [value, value];
    expect(outcome(encodeJson(value, 1_000))).toMatch(
      /\]…: is longer than 1000 characters as JSON; store it elsewhere$/,
    );
  });

  it('keeps to the limit on length, in strings and structures', () => {
    expect(encodeJson('x'.repeat(10), 10)).toMatchObject({ ok: true });
    expect(encodeJson('x'.repeat(11), 10)).toMatchObject({ ok: false });
    expect(encodeJson(['x'.repeat(9)], 10)).toMatchObject({ ok: false });
    expect(encodeJson({ a: 'x'.repeat(9) }, 10)).toMatchObject({ ok: false });
  });

  it('makes a problem of code that throws', () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const hostile = (): never => {
      throw Object.create(null);
    };
    const getter = Object.defineProperty({}, 'x', { enumerable: true, get: boom });
    expect(outcome(encodeJson({ a: getter }))).toBe('a.x: cannot be read: Error: boom');
    expect(outcome(encodeJson({ a: { toJSON: boom } }))).toBe('a: cannot be read: Error: boom');
    expect(outcome(encodeJson({ a: { toJSON: hostile } }))).toBe(
      'a: cannot be read: a thrown object that cannot be shown',
    );
    for (const trap of ['ownKeys', 'getPrototypeOf', 'get', 'has', 'getOwnPropertyDescriptor']) {
      expect(outcome(encodeJson([new Proxy({ x: 1 }, { [trap]: boom })]))).toMatch(
        /^\[0\](\.x)?: cannot be read: Error: boom$/,
      );
    }
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    expect(outcome(encodeJson({ a: revoked.proxy }))).toMatch(/^a: cannot be read: TypeError/);
    const fake = new (class {
      readonly [Symbol.toStringTag] = 'Date';
    })();
    expect(outcome(encodeJson({ fake }))).toMatch(/^fake: cannot be read: TypeError/);
  });

  it.each([
    { a: undefined, b: 1, c: undefined },
    { a: [{ b: undefined, c: 2 }, {}] },
    { a: { toJSON: () => undefined }, b: { toJSON: () => ({ c: undefined, d: null }) } },
    { a: undefined },
  ])('leaves out what is undefined, as JSON.stringify does: %j', (value) => {
    expect(outcome(encodeJson(value))).toBe(JSON.stringify(value));
    const encoded = encodeEntries(value);
    const keys = Object.keys(JSON.parse(JSON.stringify(value)) as object);
    expect(encoded.ok && [...encoded.entries.keys()]).toEqual(keys);
  });

  it('names what is wrong behind a property that was left out', () => {
    expect(outcome(encodeJson({ a: undefined, b: { c: Number.NaN } }))).toBe(
      'b.c: is NaN; use null',
    );
  });

  it('reads each property once, so that what was checked is what is written', () => {
    let reads = 0;
    const sly = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => (++reads === 1 ? 'good' : undefined),
    });
    expect(outcome(encodeJson(sly))).toBe('{"x":"good"}');
    expect(reads).toBe(1);
  });

  it('keeps a problem short and storable, whatever the object says', () => {
    const shouting = new (class {
      readonly [Symbol.toStringTag] = `\u0000${'x'.repeat(10_000)}`;
    })();
    const result = encodeJson({ ['k'.repeat(10_000)]: shouting });
    expect(result.ok).toBe(false);
    expect(outcome(result).length).toBeLessThan(500);
    expect(outcome(result)).not.toContain('\u0000');
  });

  it('keeps __proto__ as data, there and back', () => {
    const value = decodeJson('{"__proto__":{"admin":true},"a":[{"__proto__":null}]}');
    const result = encodeJson(value);
    expect(outcome(result)).toBe('{"__proto__":{"admin":true},"a":[{"__proto__":null}]}');
    const decoded = decodeJson(outcome(result));
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    expect(Object.keys(decoded as object)).toEqual(['__proto__', 'a']);
  });

  it('writes all JSON as JSON.stringify does, and counts its bytes', () => {
    // Without NUL and lone surrogates, which are refused.
    const text = fc.string({ unit: 'grapheme' }).map((s) => s.replaceAll('\u0000', ''));
    const { value: anyJson } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constant(null),
        fc.boolean(),
        fc.double({ noDefaultInfinity: true, noNaN: true }),
        fc.integer(),
        text,
        fc.array(tie('value')),
        fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'toString', '1')), tie('value')),
      ),
    }));
    fc.assert(
      fc.property(anyJson, (value) => {
        const result = encodeJson(value);
        expect(outcome(result)).toBe(JSON.stringify(value));
        expect(result).toMatchObject({ bytes: Buffer.byteLength(JSON.stringify(value)) });
      }),
    );
  });

  it('never throws, and what it writes can be read and stored', () => {
    const hostile = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withUnicodeString: true,
      key: fc.string({ unit: 'binary' }),
    });
    fc.assert(
      fc.property(fc.oneof(hostile, fc.array(fc.string({ unit: 'binary' }))), (value) => {
        const result = encodeJson(value);
        if (!result.ok) return expect(result.problem).not.toBe('');
        expect(encodeJson(decodeJson(result.json))).toEqual(result);
        expect(result.json).not.toContain('\\u0000');
        expect(result.bytes).toBe(Buffer.byteLength(result.json));
      }),
      { numRuns: 500 },
    );
  });
});

describe('encodeEntries', () => {
  it('takes a context apart', () => {
    const result = encodeEntries({ a: { b: [1] }, c: 'x', __proto: null, d: new Date(0) });
    expect(result).toEqual({
      ok: true,
      entries: new Map([
        ['a', '{"b":[1]}'],
        ['c', '"x"'],
        ['__proto', 'null'],
        ['d', '"1970-01-01T00:00:00.000Z"'],
      ]),
    });
    expect(encodeEntries(decodeJson('{"__proto__":{"a":1}}'))).toEqual({
      ok: true,
      entries: new Map([['__proto__', '{"a":1}']]),
    });
    expect(encodeEntries({})).toEqual({ ok: true, entries: new Map() });
    expect(encodeEntries({ toJSON: () => ({ a: { b: 1 } }) })).toEqual({
      ok: true,
      entries: new Map([['a', '{"b":1}']]),
    });
  });

  it.each([[null], [[1]], ['{}'], [5], [new Date(0)]])('refuses %p', (context) => {
    expect(encodeEntries(context)).toEqual({
      ok: false,
      path: '',
      problem: 'is not an object with named values; use one, such as { result: 1 }',
    });
  });

  it('says where the problem is', () => {
    expect(encodeEntries({ a: 1, items: [{ n: 1n }] })).toMatchObject({
      ok: false,
      path: 'items[0].n',
    });
    expect(encodeEntries(new Map())).toMatchObject({ ok: false, path: '' });
    expect(encodeEntries(undefined)).toMatchObject({ ok: false, path: '' });
    expect(encodeEntries({ a: 'x'.repeat(20) }, 10)).toMatchObject({ ok: false });
  });
});
