import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MAX_DURATION_MS, parseDuration } from '../../../lib/workflow/duration.js';

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5 hours', 5_400_000],
    ['1W', 604_800_000],
    [0, 0],
    ['0s', 0],
    [1500, 1500],
    [0.4, 0],
    [0.6, 1],
    [MAX_DURATION_MS, MAX_DURATION_MS],
    ['10y', MAX_DURATION_MS],
  ])('reads %p as %p ms', (value, milliseconds) => {
    expect(parseDuration(value)).toBe(milliseconds);
  });

  it.each([
    [''],
    [' '],
    ['100'],
    ['s'],
    ['-1s'],
    ['.5s'],
    ['1 s '],
    ['1s 2m'],
    ['5 parsecs'],
    ['1e3s'],
    [`${'9'.repeat(200)}s`],
    ['11y'],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [MAX_DURATION_MS + 1],
    [undefined],
    [null],
    [true],
    [5n],
    [{}],
    [['1s']],
  ])('refuses %p', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });

  it('gives whole milliseconds within the bound, or nothing, for anything', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const milliseconds = parseDuration(value);
        if (milliseconds === undefined) return;
        expect(Number.isInteger(milliseconds)).toBe(true);
        expect(milliseconds).toBeGreaterThanOrEqual(0);
        expect(milliseconds).toBeLessThanOrEqual(MAX_DURATION_MS);
      }),
    );
  });
});
