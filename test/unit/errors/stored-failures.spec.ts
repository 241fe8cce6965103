import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decideFailure } from '../../../lib/engine/execution/failure-decision.js';
import {
  messageWithoutSecrets,
  RetryAfterError,
  safeCause,
  toStoredError,
  type StoredError,
} from '../../../lib/errors/index.js';
import { rescheduleValues } from '../../../lib/store/postgres/statements/reschedule-tasks.js';
import {
  DEFAULT_RETRY_POLICY,
  MAX_DURATION_MS,
  textProblem,
  type CompiledTask,
} from '../../../lib/workflow/index.js';

/** More than the texts of a stored error come to together. */
const MAX_BYTES = 150_000;

function expectStorable(thrown: unknown): void {
  const stored = toStoredError(thrown);
  expectStorableTexts(stored);
  expect(Buffer.byteLength(JSON.stringify(stored))).toBeLessThan(MAX_BYTES);
  expect(messageWithoutSecrets(thrown)).not.toBe('');
  expect(messageWithoutSecrets(thrown).length).toBeLessThan(MAX_BYTES);
  expect(safeCause(thrown)).toBeInstanceOf(Error);
}

const TEXTS = ['name', 'message', 'code', 'stack', 'response'];

function expectStorableTexts({ status, cause, errors = [], ...texts }: StoredError): void {
  expect(Object.keys(texts).filter((key) => !TEXTS.includes(key))).toEqual([]);
  for (const text of Object.values(texts)) {
    expect(typeof text).toBe('string');
    expect(textProblem(text)).toBeUndefined();
  }
  expect(texts.name).not.toBe('');
  if (status !== undefined) expect(Number.isInteger(status)).toBe(true);
  for (const inner of [cause ?? [], errors].flat()) expectStorableTexts(inner);
}

function nested(depth: number, how: (inner: unknown) => unknown): unknown {
  let error: unknown = new Error('the innermost');
  for (let n = 0; n < depth; n++) error = how(error);
  return error;
}

function cyclic(key: 'cause' | 'errors'): Error {
  const error = new AggregateError([], '');
  Object.assign(error, { [key]: key === 'cause' ? error : [error, error] });
  return error;
}

/** Each reading gives something else. */
function fickle(): object {
  let n = 0;
  return new Proxy(new Error(''), {
    get: (_, key) =>
      key === 'errors'
        ? [fickle(), fickle()]
        : key === 'cause'
          ? fickle()
          : [undefined, 'x', 5, {}][n++ % 4],
  });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable(new Error('gone'), {});
  revoke();
  return proxy;
}

const throwing = (): never => {
  throw new Error('no');
};
const TRAPS = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((trap) => [trap, throwing]),
) as ProxyHandler<object>;

describe('what is stored of a failure', () => {
  it.each<[string, () => unknown]>([
    ['errors in errors, 5,000 deep', () => nested(5_000, (inner) => new AggregateError([inner]))],
    ['and wide', () => nested(60, (inner) => new AggregateError([inner, inner, inner]))],
    ['causes in causes, 5,000 deep', () => nested(5_000, (cause) => new Error('', { cause }))],
    ['an array 50,000 deep', () => nested(50_000, (inner) => [inner])],
    ['an object 50,000 deep', () => nested(50_000, (inner) => ({ inner }))],
    ['a million errors', () => new AggregateError(Array.from({ length: 1e6 }, () => 5))],
    ['a million messages', () => new AggregateError(Array.from({ length: 1e6 }, (_, n) => `${n}`))],
    ['an error that is its own cause', () => cyclic('cause')],
    ['an error that holds itself', () => cyclic('errors')],
    ['a message of ten million characters', () => new Error('m'.repeat(1e6))],
    [
      'such a stack, code and name',
      () =>
        Object.assign(new Error(''), {
          stack: 's'.repeat(1e7),
          code: 'c'.repeat(1e7),
          name: 'n'.repeat(1e7),
        }),
    ],
    ['such a string', () => 'password=x '.repeat(1e7)],
    [
      'NUL bytes and halves of surrogate pairs',
      () =>
        Object.assign(new Error('\0a\ud800'), { code: '\udc00', stack: '\0\ud83d', name: '\0' }),
    ],
    ['a revoked proxy', revoked],
    ['such errors within', () => new AggregateError([revoked(), new Proxy([], TRAPS)])],
    ['such a list of errors', () => Object.assign(new Error(''), { errors: revoked() })],
    ['a proxy that throws at everything', () => new Proxy(new Error('x'), TRAPS)],
    ['getters that never give the same', fickle],
    [
      'a list that claims to be endless',
      () => ({
        errors: new Proxy([], {
          get: (_, key) => (key === 'length' ? Number.MAX_SAFE_INTEGER : key),
        }),
      }),
    ],
    ['a class', () => Date],
  ])('%s: is bounded', (_, thrown) => {
    expectStorable(thrown());
  });

  it('is the messages within, however deep they are', () => {
    const inner = nested(20, (error) => new AggregateError([error]));
    expect(toStoredError(inner).message).toBe('the innermost');
  });

  it('has nothing of the rows, the query and the parameters that a driver tells of', () => {
    const told = {
      detail: 'Failing row contains (secret).',
      query: 'secret',
      parameters: ['secret'],
    };
    const error = Object.assign(new Error('null value violates a constraint'), told, {
      code: '23502',
      where: 'secret',
      cause: Object.assign(new Error('within'), told),
      driverError: told,
    });
    const stored = toStoredError(error);
    expect(stored).toMatchObject({ code: '23502', message: 'null value violates a constraint' });
    expect(JSON.stringify(stored)).not.toContain('secret');
  });

  it('keeps the outermost texts, however deep the errors within are', () => {
    for (const how of [
      (inner: unknown) => new AggregateError([inner]),
      (cause: unknown) => new Error('', { cause }),
    ]) {
      const outermost = Object.assign(new AggregateError([nested(5_000, how)], 'outermost'), {
        cause: nested(5_000, how),
      });
      expect(toStoredError(outermost)).toMatchObject({
        name: 'AggregateError',
        message: 'outermost',
      });
    }
  });

  it('is said of a text that is empty, or of which nothing can be stored', () => {
    for (const thrown of ['', '\u0000', new Error('\u0000', { cause: '\u0000' })])
      expectStorable(thrown);
    expect(messageWithoutSecrets('\u0000')).toBe('an empty text');
  });

  it('is bounded for anything', () => {
    const { thing } = fc.letrec((tie) => ({
      thing: fc.oneof(
        { depthSize: 'medium' },
        fc.anything({
          withBigInt: true,
          withNullPrototype: true,
          withSparseArray: true,
          withDate: true,
          withMap: true,
        }),
        fc.string({ unit: 'binary' }),
        fc.constantFrom(Symbol('s'), throwing),
        // Within, for fast-check looks into what it makes.
        fc
          .constantFrom(revoked, fickle, () => new Proxy({}, TRAPS))
          .map((make) => new AggregateError([make()], '', { cause: make() })),
        fc
          .record(
            {
              message: fc.string({ unit: 'binary' }),
              cause: tie('thing'),
              errors: fc.array(tie('thing')),
              code: tie('thing'),
              stack: tie('thing'),
              name: tie('thing'),
            },
            { requiredKeys: [] },
          )
          .map((own) =>
            Object.defineProperties(new Error(), Object.getOwnPropertyDescriptors(own)),
          ),
        fc.array(tie('thing')).map((errors) => new AggregateError(errors)),
        tie('thing').map((value) =>
          Object.defineProperty(new Error(''), 'message', { get: () => value }),
        ),
      ),
    }));
    fc.assert(fc.property(thing, expectStorable));
  });
});

describe('the delay of a RetryAfterError', () => {
  const task = { retry: { ...DEFAULT_RETRY_POLICY, jitter: false } } as CompiledTask;
  const delayed = (delayMs: unknown): Error =>
    Object.defineProperty(new RetryAfterError('1s'), 'delayMs', { value: delayMs });

  it.each([0, 90_000, MAX_DURATION_MS])('of %d ms is taken', (delayMs) => {
    expect(decideFailure(delayed(delayMs), task, 1, undefined, 0)).toEqual({ retryInMs: delayMs });
  });

  it.each([
    Infinity,
    -Infinity,
    NaN,
    -1,
    1e300,
    MAX_DURATION_MS + 1,
    '90s',
    5n,
    null,
    undefined,
    {},
    [9],
  ])("of %p is the policy's own", (delayMs) => {
    expect(decideFailure(delayed(delayMs), task, 1, undefined, 0)).toEqual({ retryInMs: 1_000 });
  });

  it("that can't be read is the policy's own", () => {
    const error = Object.defineProperty(new RetryAfterError('1s'), 'delayMs', { get: throwing });
    expect(decideFailure(error, task, 1, undefined, 0)).toEqual({ retryInMs: 1_000 });
  });

  it('is refused by the constructor where it is none', () => {
    for (const delay of [Infinity, NaN, -1, 1e300, '1 aeon', 5n, null]) {
      expect(() => new RetryAfterError(delay as number)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
  });
});

it('a delay that no interval holds does not fail the batch that it is in', () => {
  const delays = [NaN, Infinity, -Infinity, 1e300, -5, 1.2];
  const item = {
    executionId: 'e',
    taskNo: 0,
    itemNo: 0,
    wakes: 0,
    token: 1,
    kind: 'giveBack',
    error: undefined,
  } as const;
  const values = rescheduleValues(delays.map((delayMs) => ({ ...item, delayMs })));
  expect(values[5]).toBe(`{0,${MAX_DURATION_MS},0,${MAX_DURATION_MS},0,2}`);
});

describe('What is stored of an error', () => {
  it('is why: "fetch failed" carries its ECONNREFUSED', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), {
      code: 'ECONNREFUSED',
    });
    const error = new TypeError('fetch failed', { cause: new AggregateError([refused, refused]) });
    const inner = { name: 'Error', message: refused.message, code: 'ECONNREFUSED' };
    expect(toStoredError(error)).toMatchObject({
      name: 'TypeError',
      message: 'fetch failed',
      cause: { name: 'AggregateError', errors: [inner, inner] },
    });
  });

  it.each([
    ['axios', { response: { status: 402, data: { reason: 'no money' } } }, '{"reason":"no money"}'],
    ['got', { response: { statusCode: 402, body: 'no money' } }, 'no money'],
    ['Nest', { status: 402, response: { reason: 'no money' } }, '{"reason":"no money"}'],
    ['fetch', { response: new Response('unread', { status: 402 }) }, undefined],
    ['undici', { statusCode: 402 }, undefined],
  ])('is the status and the answer of an HTTP error, as of %s', (_client, facts, response) => {
    const stored = toStoredError(Object.assign(new Error('Payment Required'), facts));
    expect(stored).toMatchObject({ status: 402, message: 'Payment Required' });
    expect(stored.response).toBe(response);
  });

  it('masks secrets within too, and bounds all of it', () => {
    const url = 'postgres://app:s3cret@host/db';
    const cause = Object.assign(new Error(url), {
      response: { status: 500, data: url.repeat(999) },
    });
    const stored = toStoredError(new AggregateError([cause, cause], url, { cause }));
    expect(JSON.stringify(stored)).not.toContain('s3cret');
    expect(stored.cause?.response?.length).toBeLessThanOrEqual(2_000);
    const wide = new AggregateError(Array.from({ length: 100 }, () => cause));
    expect(toStoredError(wide).errors).toHaveLength(5);
    let depth = 0;
    const deep = nested(100, (inner) => new Error('outer', { cause: inner }));
    for (let at: StoredError | undefined = toStoredError(deep); at; at = at.cause) depth++;
    expect(depth).toBe(6);
  });
});
