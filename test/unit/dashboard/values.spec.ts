import { describe, expect, it } from '@jest/globals';
import { Values } from '../../../lib/dashboard/values.js';

const values = new Values(['cardNumber']);

describe('values of handlers', () => {
  it('are shown as JSON with their size', () => {
    expect(values.view({ a: [1, 'ü'] })).toEqual({
      kind: 'json',
      bytes: 14,
      value: { a: [1, 'ü'] },
    });
    expect(values.view(undefined)).toEqual({ kind: 'json', bytes: 4, value: null });
  });

  it('are cut if they are large, and whole for one who asks for one', () => {
    const large = 'x'.repeat(50_000);
    expect(values.view(large)).toEqual({
      kind: 'cut',
      bytes: 50_002,
      preview: `"${'x'.repeat(1_999)}`,
    });
    expect(values.whole(large)).toBe(large);
  });

  it('of many keys are cut once they are large together', () => {
    const context = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, i) => [`key ${i}`, 'x'.repeat(10_000)]),
    );
    const bytes = Buffer.byteLength(JSON.stringify(values.viewAll(context)));
    expect(bytes).toBeLessThan(600_000);
  });

  it.each([
    'password',
    'clientSecret',
    'api_key',
    'API-KEY',
    'accessToken',
    'card_number',
    'cardNumber',
  ])('are hidden at any depth under the name %s', (name) => {
    const shown = [
      values.viewAll({ [name]: 'tiger' }),
      values.view({ a: [{ [name]: 'tiger' }] }),
      values.whole({ b: { [name]: { c: 'tiger' } } }),
    ];
    expect(JSON.stringify(shown)).not.toContain('tiger');
    expect(values.viewAll({ [name]: 'tiger' })).toEqual({ [name]: { kind: 'redacted' } });
  });

  it('have any key', () => {
    const context = JSON.parse('{"__proto__": 1, "constructor": 2}') as object;
    const shown = values.viewAll(context);
    expect(Object.keys(shown)).toEqual(['__proto__', 'constructor']);
  });
});
