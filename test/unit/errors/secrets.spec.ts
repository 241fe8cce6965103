import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DatabaseUnavailableError,
  messageWithoutSecrets,
  isError,
  safeCause,
  toStoredError,
  withoutSecrets,
} from '../../../lib/errors/index.js';

describe('withoutSecrets', () => {
  it.each([
    [
      'cannot reach postgres://app:s3cret@db:5432/shop?x=1',
      'cannot reach postgres://***@db:5432/shop?x=1',
    ],
    ['postgres://app:s3@cr/et@db/shop', 'postgres://***@db/shop'],
    [
      '"redis+tls://:s3cret@h" and http://plain.example/path',
      '"redis+tls://***@h" and http://plain.example/path',
    ],
    ['host=db password=s3cret user=app', 'host=db password=*** user=app'],
    ["password='s3 cr\\'et' x", 'password=*** x'],
    ['{"password":"s3\\"cret","a":1}', '{"password":***,"a":1}'],
    ['PGPASSWORD=s3cret psql', 'PGPASSWORD=*** psql'],
    ['?sslpassword=s3cret&host=h', '?sslpassword=***&host=h'],
    [
      "CREATE ROLE r LOGIN PASSWORD 's3''cret' NOINHERIT",
      'CREATE ROLE r LOGIN PASSWORD *** NOINHERIT',
    ],
    ['clientSecret: s3cret', 'clientSecret: ***'],
    ['error: password=s3cret', 'error: password=***'],
    ['Authorization: Basic czNjcmV0 \nHost: h', 'Authorization: ***\nHost: h'],
    [
      "curl -H 'Authorization: Bearer s3cret' https://h/x",
      "curl -H 'Authorization: ***' https://h/x",
    ],
    ['{"authorization":"AWS4 a=s3cret, b=s3","a":1}', '{"authorization":***,"a":1}'],
    ['proxy-authorization=Digest s3cret', 'proxy-authorization=***'],
    ['sent Bearer eyJhbGciOi.s3cret-x, and failed', 'sent Bearer ***, and failed'],
    ['https://h/x?token=s3cret&a=1', 'https://h/x?token=***&a=1'],
    ['{"access_token": "s3cret", "n": 1}', '{"access_token": ***, "n": 1}'],
    ['AWS_SECRET_ACCESS_KEY=s3cret env', 'AWS_SECRET_ACCESS_KEY=*** env'],
    ['MY_SECRET_2=s3cret', 'MY_SECRET_2=***'],
    ['STRIPE_KEY=s3cret x-api-key: s3cret', 'STRIPE_KEY=*** x-api-key: ***'],
    ['apiKey: "s3 cret", b', 'apiKey: ***, b'],
    [
      'duplicate key value violates unique constraint "note_text_key"',
      'duplicate key value violates unique constraint "note_text_key"',
    ],
    ["Unexpected token '}' in JSON", "Unexpected token '}' in JSON"],
    ['The bearer of this.', 'The bearer *** this.'],
    [
      'password authentication failed for user "app"',
      'password authentication failed for user "app"',
    ],
    ['an ordinary message: a@b.example', 'an ordinary message: a@b.example'],
    ['', ''],
  ])('%s', (text, expected) => {
    expect(withoutSecrets(text)).toBe(expected);
  });

  it('finds the password in whatever URL', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', 'b', '@', '/', ':', '#', '?', '&', '=', '%', '+'),
      minLength: 0,
      maxLength: 8,
    });
    fc.assert(
      fc.property(word, word, fc.string(), (before, after, around) => {
        const text = `${around} postgres://app:${before}S3CRET${after}@db/shop`;
        expect(withoutSecrets(text)).not.toContain('S3CRET');
      }),
    );
  });

  it.each([
    'a://',
    'a.',
    'password',
    "password='",
    'password="',
    'a:/',
    'a-',
    'a ',
    'token=',
    'secret',
    'authorization:',
    'authorization ',
    'authorization:"',
    'bearer ',
    'secret= ',
  ])('takes linear time: %s repeated', (part) => {
    const began = process.cpuUsage(); // time passes for other processes too
    withoutSecrets(part.repeat(20_000));
    expect(process.cpuUsage(began).user / 1_000).toBeLessThan(2_000);
  });
});

/** As the driver throws it. */
function driverError(): Error {
  return Object.assign(new Error('duplicate key value violates "x"'), {
    name: 'QueryFailedError',
    code: '23505',
    detail: 'Key (email)=(a@b) exists.',
    query: 'INSERT',
    parameters: ['p4rameter'],
  });
}

describe('what errors carry of their causes', () => {
  it('is the name, message, code and stack, masked; no detail, query or parameters', () => {
    const error = new DatabaseUnavailableError(
      { waitedMs: 1 },
      { cause: Object.assign(driverError(), { message: 'at postgres://u:s3cret@h/' }) },
    );
    const cause = error.cause as Error & { code?: string };
    expect([cause.name, cause.message, cause.code]).toEqual([
      'QueryFailedError',
      'at postgres://***@h/',
      '23505',
    ]);
    const shown = inspect(error, { depth: 9 }) + JSON.stringify(error);
    for (const secret of ['s3cret', 'email', 'INSERT', 'p4rameter'])
      expect(shown).not.toContain(secret);
  });

  it.each([undefined, null, 5, 'text', { a: 1 }, Object.create(null)])('copes with %p', (cause) => {
    expect(isError(safeCause(cause))).toBe(true);
  });
});

describe('describeError', () => {
  it.each([
    [new Error('m'), 'm'],
    ['text', 'text'],
    [
      new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]),
      'refused ::1; refused 127.0.0.1',
    ],
    [Object.assign(new Error(''), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [new TypeError(''), 'TypeError'],
    [undefined, 'undefined'],
    [{ a: 1, password: 's3cret' }, '{ a: 1, password: *** }'],
  ])('of %p is %p', (error, text) => {
    expect(messageWithoutSecrets(error)).toBe(text);
  });
});

describe('toStoredError', () => {
  it('keeps name, message, code and stack, and nothing else', () => {
    const stored = toStoredError(driverError());
    expect(Object.keys(stored).sort()).toEqual(['code', 'message', 'name', 'stack']);
    expect(stored).toMatchObject({
      name: 'QueryFailedError',
      message: 'duplicate key value violates "x"',
      code: '23505',
    });
  });

  it('says what a refused connection was about', () => {
    expect(toStoredError(new AggregateError([new Error('connect ECONNREFUSED')])).message).toBe(
      'connect ECONNREFUSED',
    );
  });

  it('never throws, whatever was thrown, and stores only what PostgreSQL takes', () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const hostile = {
      get message(): string {
        throw new Error('no');
      },
      [Symbol.toPrimitive]() {
        throw new Error('no');
      },
    };
    const thrown = [
      revoked.proxy,
      hostile,
      Symbol('s'),
      10n,
      () => 1,
      Object.create(null),
      new Error('a\0b\ud800'),
      new AggregateError([new Error('a\0b\ud800')]),
    ];
    for (const value of thrown) {
      const stored = toStoredError(value);
      expect(typeof stored.message).toBe('string');
      // oxlint-disable-next-line no-control-regex
      expect(JSON.stringify(stored)).not.toMatch(/\\u0000|\\ud800/);
    }
  });

  it('masks secrets', () => {
    const stored = toStoredError(new Error('at postgres://u:s3cret@h/'));
    expect(JSON.stringify(stored)).not.toContain('s3cret');
  });
});
