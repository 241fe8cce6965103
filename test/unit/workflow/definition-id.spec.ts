import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { definitionIdOf } from '../../../lib/workflow/index.js';
import { compiled } from './some-workflows.js';

const MAX_BIGINT = 2n ** 63n - 1n;

/** As `compileWorkflow` gives it. */
const hash = fc.stringMatching(/^[0-9a-f]{32}$/);

describe('the id of a definition', () => {
  // In schemas there are rows with it: another function of the hash would tear them from what they are pinned to.
  it.each([
    ['00000000000000000000000000000000', '0'],
    ['0123456789abcdef0123456789abcdef', '81985529216486895'],
    ['7fffffffffffffff0000000000000000', '9223372036854775807'],
    ['8000000000000001ffffffffffffffff', '1'],
    ['fedcba98765432100123456789abcdef', '9141386507638288912'],
  ])('of the hash %s is %s', (of, id) => {
    expect(definitionIdOf(of)).toBe(id);
  });

  it('is a bigint of PostgreSQL, as that writes one', () => {
    fc.assert(
      fc.property(hash, (of) => {
        const id = definitionIdOf(of);
        expect(id).toMatch(/^(0|[1-9][0-9]*)$/);
        expect(BigInt(id)).toBeLessThanOrEqual(MAX_BIGINT);
      }),
    );
  });

  it('tells all hashes apart by 63 of their bits', () => {
    fc.assert(
      fc.property(hash, fc.integer({ min: 1, max: 63 }), (of, bit) => {
        const flipped = (BigInt(`0x${of}`) ^ (1n << BigInt(127 - bit))).toString(16);
        expect(definitionIdOf(flipped.padStart(32, '0'))).not.toBe(definitionIdOf(of));
      }),
    );
  });

  it('is the same for the same content, and another for another version', () => {
    const id = (version: string): string =>
      definitionIdOf(compiled({ name: 'orders', version, tasks: [{ name: 'pay' }] }).hash);
    expect(id('1')).toBe(id('1'));
    expect(id('1')).not.toBe(id('2'));
  });
});
