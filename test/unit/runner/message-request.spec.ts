import { describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import {
  checkEvent,
  checkEventKey,
  checkEventSize,
  checkSignal,
  checkTarget,
  encodePayload,
} from '../../../lib/runner/message-request.js';

const Go = defineSignal('go');
const Paid = defineEvent('paid');

describe('defineSignal() and defineEvent()', () => {
  it.each([undefined, null, 7, '', 'a#b', 'a@b', 'a\0b', 'x'.repeat(201)])(
    'refuse the name %p',
    (name) => {
      const definitions: ((name: string) => unknown)[] = [
        (text) => defineSignal(text),
        (text) => defineEvent(text),
      ];
      for (const define of definitions) {
        expect(() => define(name as string)).toThrow(
          expect.objectContaining({ code: 'INVALID_ARGUMENT', argument: 'name' }),
        );
      }
    },
  );

  it('refuse options that they do not have, and bad ones', () => {
    expect(() => defineSignal('x', { keepFor: '1d' } as never)).toThrow('keepFor');
    expect(() => defineSignal('x', { schema: {} as never })).toThrow('must be a Standard Schema');
    expect(() => defineEvent('x', { keepFor: 'long' as never })).toThrow('keepFor must be');
  });

  it('keep events for seven days unless told', () => {
    expect(Paid.keepForMs).toBe(7 * 86_400_000);
    expect(defineEvent('x', { keepFor: '1h' }).keepForMs).toBe(3_600_000);
  });
});

describe('The name, key and idempotency key of an event', () => {
  it('have at most 2,600 bytes of UTF-8 together', () => {
    expect(() => checkEventSize('é'.repeat(200), 'é'.repeat(200), '日'.repeat(500))).not.toThrow();
    expect(() => checkEventSize('日'.repeat(200), '日'.repeat(200), null)).not.toThrow();
    expect(() => checkEventSize('日'.repeat(200), '日'.repeat(200), '日'.repeat(500))).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        argument: 'idempotencyKey',
        message: expect.stringContaining('at most 2600 bytes'),
      }),
    );
  });
});

describe('The target of a signal', () => {
  it('is an id, a handle, or a workflow and a key', () => {
    expect(checkTarget('a')).toEqual({ id: 'a' });
    expect(checkTarget({ id: 'a', created: true })).toEqual({ id: 'a' });
    expect(checkTarget({ workflow: 'w', key: 'k' })).toEqual({ workflow: 'w', key: 'k' });
  });

  it.each([
    undefined,
    null,
    7,
    {},
    { workflow: 'w' },
    { workflow: 7, key: 'k' },
    { workflow: 'w', key: '' },
  ])('is not %p', (to) => {
    expect(() => checkTarget(to)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('A message', () => {
  it('is what its function has defined', () => {
    expect(checkSignal(Go)).toBe(Go);
    expect(checkEvent(Paid)).toBe(Paid);
    for (const other of [undefined, null, 'go', Paid, {}]) {
      expect(() => checkSignal(other)).toThrow('must be a result of defineSignal()');
    }
    for (const other of [undefined, null, 'paid', Go, {}]) {
      expect(() => checkEvent(other)).toThrow('must be a result of defineEvent()');
    }
  });

  it.each([undefined, 7, '', 'x'.repeat(201), 'a\0'])('of an event has no key %p', (key) => {
    expect(() => checkEventKey(key)).toThrow(expect.objectContaining({ argument: 'key' }));
  });
});

describe('A payload', () => {
  it('is any JSON value, and null if there is none', async () => {
    expect(await encodePayload(Go, { at: new Date(0) }, 100)).toBe(
      '{"at":"1970-01-01T00:00:00.000Z"}',
    );
    expect(await encodePayload(Go, 'x', 100)).toBe('"x"');
    expect(await encodePayload(Go, undefined, 100)).toBe('null');
  });

  it('that JSON cannot carry is refused with its place', async () => {
    await expect(encodePayload(Go, { a: [1, Number.NaN] }, 100)).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
      message: expect.stringContaining('The payload of the signal "go" at a[1] is NaN'),
    });
  });

  it('may be as large as a context', async () => {
    await expect(encodePayload(Paid, 'x'.repeat(100), 100)).rejects.toMatchObject({
      code: 'CONTEXT_TOO_LARGE',
      size: 102,
      limit: 100,
    });
  });

  it('is what the schema returns, which may be asynchronous', async () => {
    const schema: StandardSchemaV1<string, number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) =>
          typeof value === 'string'
            ? { value: value.length }
            : { issues: [{ message: 'no text' }, { message: 'and more' }] },
      },
    };
    const Length = defineSignal('length', { schema });
    expect(await encodePayload(Length, 'four', 100)).toBe('4');
    await expect(encodePayload(Length, 4, 100)).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
      message:
        'The payload of the signal "length" does not match its schema: no text (and 1 more).',
    });
  });
});
