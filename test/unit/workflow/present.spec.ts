import { describe, expect, it } from '@jest/globals';
import { assertDefined } from '../../../lib/workflow/assert-defined.js';

describe('present', () => {
  it('gives what is there, and is an error where nothing is', () => {
    expect([assertDefined(0), assertDefined(''), assertDefined(null)]).toEqual([0, '', null]);
    expect(() => assertDefined(undefined)).toThrow('A value that must be there is missing');
  });
});
