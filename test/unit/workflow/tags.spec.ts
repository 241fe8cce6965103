import { describe, expect, it } from '@jest/globals';
import { decodeTags, encodeTags, hasTags, tagsProblem } from '../../../lib/workflow/index.js';

const LONG = 'x'.repeat(256);
const MANY = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`key ${n}`, '']));

describe('tags', () => {
  it.each([
    [{}],
    [{ customer: '17', region: '' }],
    [Object.assign(Object.create(null), { a: 'b' })],
    [{ [LONG.slice(0, 64)]: LONG }],
    [JSON.parse('{"__proto__":"x"}')],
  ])('%j are valid', (tags) => {
    expect(tagsProblem(tags)).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [null, "must be an object of strings, such as { customer: '17' }"],
    ['customer', 'must be an object of strings'],
    [['17'], 'must be an object of strings'],
    [new Map([['customer', '17']]), 'must be an object of strings'],
    [new Date(0), 'must be an object of strings'],
    [{ customer: 17 }, 'as "customer", not a value of type number'],
    [{ customer: null }, 'as "customer", not null'],
    [{ customer: undefined }, 'as "customer", not a value of type undefined'],
    [{ customer: `${LONG}x` }, 'a string of at most 256 characters as "customer", not one of 257'],
    [{ customer: 'secret\u0000' }, 'has a value of "customer" that contains \\u0000'],
    [{ 'a\ud800': 'b' }, 'has a key that contains half of a surrogate pair'],
    [{ '': 'b' }, 'must have keys of 1 to 64 characters'],
    [{ [LONG.slice(0, 65)]: 'b' }, 'must have keys of 1 to 64 characters'],
    [MANY, 'must be at most 16, not 17'],
  ])('%j are refused', (tags, problem) => {
    expect(tagsProblem(tags)).toContain(problem);
    expect(tagsProblem(tags)).not.toContain('secret');
  });

  it('are stored as what was checked, and not at all if there are none', () => {
    const inherited = Object.assign(Object.create({ toJSON: () => ({ other: '1' }) }), { a: 'b' });
    expect(decodeTags(encodeTags(inherited))).toEqual({ a: 'b' });
    expect(encodeTags({})).toBeNull();
    expect(encodeTags(undefined)).toBeNull();
    expect(decodeTags(null)).toBeUndefined();
    const odd = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    expect(encodeTags(odd)).toBe('{"__proto__":"x"}');
  });

  it.each([
    ['{"a":"1","b":"2"}', '{"b":"2"}', true],
    ['{"a":"1"}', '{"a":"1","b":"2"}', false],
    ['{"a":"1"}', '{"a":"2"}', false],
    [null, '{"a":"1"}', false],
    ['{"a":"1"}', '{}', true],
  ])('%s contain %s: %s', (stored, wanted, expected) => {
    expect(hasTags(stored, wanted)).toBe(expected);
  });
});
