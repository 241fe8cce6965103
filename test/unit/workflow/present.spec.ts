import { describe, expect, it } from '@jest/globals';
import { present } from '../../../lib/workflow/present.js';

describe('present', () => {
  it('gives what is there, and is an error where nothing is', () => {
    expect([present(0), present(''), present(null)]).toEqual([0, '', null]);
    expect(() => present(undefined)).toThrow('A value that must be there is missing');
  });
});
