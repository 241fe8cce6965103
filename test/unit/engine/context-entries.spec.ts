import { describe, expect, it } from '@jest/globals';
import { encodeContext } from '../../../lib/engine/execution/context-entries.js';

const whole = 'The value that task "charge" returned';

describe('encodeContext', () => {
  it.each([
    ['done', 'is not an object with named values; use one, such as { result: 1 }.'],
    [new Date(0), 'is not an object with named values; use one, such as { result: 1 }.'],
    [new Map(), 'is a Map; use Object.fromEntries(map).'],
    [5n, 'is a BigInt; use a string, or a number where it is small enough.'],
  ])('says what is at fault where all of it is: %p', (value, problem) => {
    expect(() => encodeContext(value, whole)).toThrow(`${whole} ${problem}`);
  });

  it('names the key where one value is at fault', () => {
    expect(() => encodeContext({ a: { b: 5n } }, whole)).toThrow(
      `The context's "a.b" is a BigInt;`,
    );
  });
});
