import { describe, expect, it } from '@jest/globals';
import { stepNameOf } from '../../../lib/engine/waits/step-name.js';

describe('The name of a step', () => {
  it.each([
    [{}, { shown: 'page', stored: 'page' }],
    [{ key: 7 }, { shown: 'page#7', stored: 'page#7' }],
    [{ key: 'a b' }, { shown: 'page#a b', stored: 'page#a b' }],
    [{ version: 2 }, { shown: 'page', stored: 'page@2' }],
    [
      { key: 'x', version: 3 },
      { shown: 'page#x', stored: 'page#x@3' },
    ],
  ])('with %j is %j', (options, name) => {
    expect(stepNameOf('page', options)).toEqual(name);
  });

  it('is another one for every key, whatever characters separate the parts', () => {
    const names = [
      stepNameOf('page', { key: 'a@2' }),
      stepNameOf('page', { key: 'a', version: 2 }),
      stepNameOf('page', { key: 'a#2' }),
      stepNameOf('page', { key: 'a%402' }),
    ];
    expect(new Set(names.map(({ stored }) => stored)).size).toBe(names.length);
  });

  it.each([
    ['', {}, 'name must be a string of 1 to 200 characters'],
    ['x'.repeat(201), {}, 'name must be a string of 1 to 200 characters'],
    [7, {}, 'name must be a string'],
    ['a#b', {}, 'name must not contain # or @'],
    ['a\u0000', {}, 'name contains'],
    ['a', { key: Number.NaN }, 'key must be a string or a number'],
    ['a', { key: '' }, 'key must be a string of 1 to 200 characters'],
    ['a', { key: {} }, 'key must be a string'],
    ['a', { version: 0 }, 'version must be a whole number from 1 on'],
    ['a', { version: '2' }, 'version must be a whole number from 1 on'],
  ])('is not %j with %j', (name, options, message) => {
    expect(() => stepNameOf(name, options)).toThrow(message);
  });
});
