import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, isRecord, jsonEquals } from '../../../lib/workflow/json-equality.js';

/** The same value with the keys of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (!isRecord(value)) return value;
  const text = Object.keys(value)
    .toReversed()
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(reversed(value[key]))}`);
  return JSON.parse(`{${text.join()}}`);
}

describe('jsonEquals', () => {
  it.each([
    [1, 1, true],
    [1, '1', false],
    [0, false, false],
    [null, null, true],
    [null, 0, false],
    [null, {}, false],
    [{}, null, false],
    [[], {}, false],
    [{}, [], false],
    [[], [], true],
    [[1, 2], [2, 1], false],
    [[1], [1, 1], false],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: 1, c: 2 }, { a: 1, b: 2 }, false],
    [{ a: [{ b: null }] }, { a: [{ b: null }] }, true],
    [{ a: [{ b: null }] }, { a: [{ b: 0 }] }, false],
    [{ constructor: 1 }, { a: 1 }, false],
    [JSON.parse('{"__proto__":1}'), { toString: 1 }, false],
    [JSON.parse('{"__proto__":{}}'), { x: 1 }, false],
    [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}'), true],
  ])('of %j and %j is %p', (a, b, equal) => {
    expect(jsonEquals(a, b)).toBe(equal);
    expect(jsonEquals(b, a)).toBe(equal);
  });

  it('takes any depth', () => {
    const deep = (levels: number): unknown =>
      JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
    expect(jsonEquals(deep(50_000), deep(50_000))).toBe(true);
    expect(jsonEquals(deep(50_000), deep(49_999))).toBe(false);
  });

  it('agrees with the canonical text, and the order of keys means nothing to either', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(jsonEquals(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
        expect(jsonEquals(a, reversed(a))).toBe(true);
        expect(canonicalJson(reversed(a))).toBe(canonicalJson(a));
        expect(jsonEquals(JSON.parse(canonicalJson(a)), JSON.parse(JSON.stringify(a)))).toBe(true);
      }),
    );
  });
});
