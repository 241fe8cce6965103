import vm from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { describeError, sanitizeText, textProblem } from '../../../lib/workflow/json-value.js';

describe('sanitizeText', () => {
  it.each([
    ['plain', 'plain'],
    ['a\u0000b\u0000', 'ab'],
    ['x\ud83dy', 'x\ufffdy'],
    ['\ude00', '\ufffd'],
    ['😀', '😀'],
  ])('of %j is %j', (text, clean) => {
    expect(sanitizeText(text)).toBe(clean);
  });

  it('cuts, never inside a pair', () => {
    expect(sanitizeText('abcdef', 6)).toBe('abcdef');
    expect(sanitizeText('abcdef', 4)).toBe('abc…');
    expect(sanitizeText('ab😀def', 4)).toBe('ab…');
    expect(sanitizeText('ab😀def', 5)).toBe('ab😀…');
    expect(sanitizeText('abc', 1)).toBe('…');
  });

  it('gives what can be stored, within the length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 20 }), (text, limit) => {
        const clean = sanitizeText(text, limit);
        expect(clean.length).toBeLessThanOrEqual(limit);
        expect(textProblem(clean)).toBeUndefined();
        expect(sanitizeText(clean, limit)).toBe(clean);
      }),
    );
  });
});

describe('describeError', () => {
  it('keeps name, message, code and stack', () => {
    const error = Object.assign(new TypeError('bad'), { code: 'E_BAD', detail: 'secret' });
    expect(describeError(error)).toEqual({
      name: 'TypeError',
      message: 'bad',
      code: 'E_BAD',
      stack: error.stack,
    });
  });

  it.each<[string, unknown, Record<string, unknown>]>([
    ['a string', 'oops', { name: 'NonError', message: 'oops' }],
    ['an empty string', '', { name: 'NonError', message: '' }],
    ['undefined', undefined, { name: 'NonError', message: 'undefined' }],
    ['null', null, { name: 'NonError', message: 'null' }],
    ['a number', 42, { name: 'NonError', message: '42' }],
    ['a BigInt', 5n, { name: 'NonError', message: '5' }],
    ['a symbol', Symbol('s'), { name: 'NonError', message: 'Symbol(s)' }],
    ['an object', { status: 404 }, { name: 'NonError', message: '{"status":404}' }],
    [
      'an object like an error',
      { name: 'Odd', message: 'm', code: 7 },
      { name: 'Odd', message: 'm', code: '7' },
    ],
    ['an object that is not JSON', { x: 1n }, { name: 'NonError', message: '[object Object]' }],
    ['an object without anything', Object.create(null), { name: 'NonError', message: '{}' }],
    [
      'one that cannot be text',
      Object.assign(Object.create(null), { x: 1n }),
      { name: 'NonError', message: 'a thrown object that cannot be shown' },
    ],
    [
      'an anonymous error',
      Object.assign(new Error('m'), { name: '', stack: undefined }),
      { name: 'Error', message: 'm' },
    ],
    [
      'texts that are none',
      Object.assign(new Error('m'), { name: {}, message: [], code: {}, stack: 5n }),
      { name: 'Error', message: '' },
    ],
    [
      'what cannot be stored',
      Object.assign(new Error('a\u0000\ud800'), {
        name: 'N\u0000',
        stack: 's\u0000',
        code: '\udc00',
      }),
      { name: 'N', message: 'a\ufffd', stack: 's', code: '\ufffd' },
    ],
  ])('describes %s', (_what, thrown, description) => {
    expect(describeError(thrown)).toEqual(description);
  });

  it('knows a function by its name', () => {
    expect(describeError(function boom() {})).toMatchObject({ name: 'boom' });
  });

  it('knows errors of other realms, and those behind a proxy', () => {
    const foreign: unknown = vm.runInNewContext(
      'Object.assign(new RangeError("far"), { name: 5n })',
    );
    expect(describeError(foreign)).toMatchObject({ name: 'Error', message: 'far' });
    const veiled = new Proxy(Object.assign(new Error('near'), { name: '' }), {});
    expect(describeError(veiled)).toMatchObject({ name: 'Error', message: 'near' });
  });

  it('never throws, whatever was thrown', () => {
    const boom = (): never => {
      throw new Error('again');
    };
    const traps = { get: boom, has: boom, getPrototypeOf: boom, ownKeys: boom };
    expect(describeError(new Proxy(new Error('x'), traps))).toEqual({
      name: 'NonError',
      message: 'a thrown object that cannot be shown',
    });
    const revoked = Proxy.revocable(() => undefined, {});
    revoked.revoke();
    expect(describeError(revoked.proxy)).toMatchObject({ name: 'NonError' });
    const error = new Error('x');
    for (const key of ['stack', 'name', 'message', 'code', 'cause']) {
      Object.defineProperty(error, key, { get: boom });
    }
    expect(describeError(error)).toEqual({ name: 'Error', message: '' });
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (thrown) => {
        const { name, message } = describeError(thrown);
        expect(textProblem(name + message)).toBeUndefined();
      }),
    );
  });

  it('is bounded', () => {
    const huge = Object.assign(new Error('m'.repeat(1e6)), {
      name: 'n'.repeat(1e6),
      code: 'c'.repeat(1e6),
      stack: 's'.repeat(1e6),
      cause: Object.assign(new Error('inner'), { stack: 't'.repeat(1e6) }),
    });
    const { name, message, code = '', stack = '' } = describeError(huge);
    expect([name.length, message.length, code.length]).toEqual([200, 10_000, 200]);
    expect(stack.length).toBeLessThanOrEqual(20_000);
    expect(stack.length).toBeGreaterThan(19_000);
    expect(stack).toContain('\nCaused by: ttt');
  });

  it('tells the causes, and stops where they are endless', () => {
    const error = new Error('outer', { cause: new Error('middle', { cause: 'root' }) });
    const { stack = '' } = describeError(error);
    expect(stack).toMatch(/^Error: outer\n.*\nCaused by: Error: middle\n.*\nCaused by: root$/s);
    const loop = new Error('loop');
    loop.cause = loop;
    expect(describeError(loop).stack?.match(/Caused by/g)).toHaveLength(5);
    expect(describeError(Object.assign(new Error('x'), { cause: null })).stack).not.toContain(
      'Caused',
    );
    const bare = { name: 'X', message: 'm', cause: { message: 'why' } };
    expect(describeError(bare).stack).toBe('Caused by: why');
    const plain = { message: 'm', cause: { status: 500 } };
    expect(describeError(plain).stack).toBe('Caused by: {"status":500}');
  });
});
