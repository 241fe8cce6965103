import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext, TaskMethod } from '../../../lib/discovery/task-context.js';
import type { ExecutionResult } from '../../../lib/runner/execution.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const once = { retry: { maxAttempts: 1 } } as const;

let work: (context: TaskContext) => unknown = () => undefined;
const single = defineWorkflow('single')
  .task('only', once, ((context: TaskContext) => work(context)) as TaskMethod)
  .build();
const throwing = defineWorkflow('throwing')
  .task('sync', once, ((context: TaskContext) => work(context)) as TaskMethod)
  .task('later', { retry: { maxAttempts: 2, delay: 1, retryIf: () => true } }, async (context) => {
    await Promise.resolve();
    work(context);
  })
  .task('transactional', { ...once, transactional: true }, async (context) => {
    await Promise.resolve();
    work(context);
  })
  .build();

const retried = defineWorkflow('retried')
  .task('only', { retry: { maxAttempts: 3, delay: 1, retryIf: () => true } }, ((
    context: TaskContext,
  ) => work(context)) as TaskMethod)
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([single, throwing, retried]);
});
const run = (workflow = single): Promise<ExecutionResult> =>
  tenant.runner.execute(workflow, {}, { timeout: '60s', settled: true });

describe('an option that a call does not have', () => {
  it.each<
    [string, (runner: OpenTenant['runner'], options: object) => Promise<unknown>, string, string]
  >([
    ['start', (runner, options) => runner.start(single, {}, options), 'dealy', 'use "delay"'],
    [
      'execute',
      (runner, options) => runner.execute(single, {}, options),
      'setled',
      'use "settled"',
    ],
    ['result', (runner, options) => runner.handle('').result(options), 'timeuot', 'use "timeout"'],
    ['list', (runner, options) => runner.list(options), 'statuss', 'use "status"'],
    ['counts', (runner, options) => runner.counts(options), 'limit', 'it takes "createdAfter"'],
  ])('is refused by %s(), with the one that was meant', async (call, use, option, instead) => {
    const before = await tenant.runner.counts();
    await expect(use(tenant.runner, { [option]: 1 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: option,
      message: expect.stringContaining(`${option} is not an option of ${call}(); ${instead}`),
    });
    expect(await tenant.runner.counts()).toEqual(before);
  });

  it('counts as left out if it is undefined', async () => {
    expect(await tenant.runner.list({ statuss: undefined, workflow: 'none' } as object)).toEqual({
      items: [],
      nextCursor: null,
    });
  });
});

describe('an undefined property', () => {
  it('is absent from the input and from results; set() of undefined deletes the key', async () => {
    work = (context) => {
      expect(context.has('note')).toBe(false);
      context.set('given', undefined);
      return { kept: undefined, order: { id: 1, note: undefined } };
    };
    const { context } = await tenant.runner.execute(single, { note: undefined, given: 1, kept: 2 });
    expect(context).toEqual({ kept: 2, order: { id: 1 } });
  });
});

describe('a failure that another attempt can not change is not retried', () => {
  it.each<[string, (context: TaskContext) => unknown, string, RegExp]>([
    ['a result that is not JSON', () => ({ price: 1n }), 'INVALID_CONTEXT', /"price" is a BigInt/],
    ['a missing key', (context) => context.require('gone'), 'INVALID_CONTEXT', /"gone"/],
    [
      'a call that is not allowed',
      () => tenant.runner.execute(single),
      'NOT_ALLOWED',
      /execute\(\) inside a task/,
    ],
    [
      'a call with a bad option',
      () => tenant.runner.start(single, {}, { dealy: 1 } as object),
      'INVALID_ARGUMENT',
      /dealy/,
    ],
  ])('%s', async (_, handler, code, message) => {
    work = handler;
    const { error, tasks } = await run(retried);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(tasks[0]).toMatchObject({ attempt: 1 });
  });
});

const cycle: Record<string, unknown> = { name: 'cycle' };
cycle['self'] = cycle;

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { in: value };
  return value;
}

const trap = (): never => {
  throw new Error('trapped');
};
const proxy = new Proxy({}, { get: trap, ownKeys: trap, getPrototypeOf: trap, has: trap });
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

// [what, the value of a key, the path that the error names]
const VALUES: [string, unknown, string][] = [
  ['\\u0000 in a value', { text: ['a\u0000b'] }, 'bad.text[0]'],
  ['\\u0000 in a nested key', { 'a\u0000b': 1 }, 'bad["a\\u0000b"]'],
  ['a lone surrogate in a value', 'x\ud800', 'bad'],
  ['a lone surrogate in a nested key', { '\udc00': 1 }, 'bad["\\udc00"]'],
  ['a BigInt', { price: 1n }, 'bad.price'],
  ['a cycle', cycle, 'bad.self'],
  ['undefined in an array', { a: [undefined] }, 'bad.a[0]'],
  ['a function', [() => 1], 'bad[0]'],
  ['a symbol', Symbol('x'), 'bad'],
  ['NaN', Number.NaN, 'bad'],
  ['Infinity', [-Infinity], 'bad[0]'],
  ['a Map', new Map([[1, 2]]), 'bad'],
  ['10,000 levels', nested(10_000), 'bad.in[0].in'],
  ['a Proxy whose traps throw', { inner: proxy }, 'bad.inner'],
  ['a revoked Proxy', revoked, 'bad'],
  [
    'a getter that throws',
    {
      get price() {
        return trap();
      },
    },
    'bad.price',
  ],
];

const THROWN: [string, () => unknown, object][] = [
  ['a string', () => 'just text', { name: 'NonError', message: 'just text' }],
  ['null', () => null, { name: 'NonError', message: 'null' }],
  ['undefined', () => undefined, { name: 'NonError', message: 'undefined' }],
  ['a BigInt', () => 12n, { name: 'NonError', message: '12' }],
  ['an object', () => ({ reason: 1n }), { name: 'NonError' }],
  ['an error with \\u0000', () => new Error('a\u0000b'), { message: 'ab' }],
  ['an error with a lone surrogate', () => new Error('a\ud800b'), { message: 'a\ufffdb' }],
  [
    'an error whose message getter throws',
    () => Object.defineProperty(new Error('x'), 'message', { get: trap }),
    { name: 'Error' },
  ],
  ['an error with a huge message', () => new Error('x'.repeat(5_000_000)), { name: 'Error' }],
  ['a Proxy whose traps throw', () => proxy, { message: expect.any(String) }],
  ['a revoked Proxy', () => revoked, { message: expect.any(String) }],
  ['an object without a prototype', () => Object.create(null) as object, { message: '{}' }],
  ['a symbol', () => Symbol('odd'), { message: 'Symbol(odd)' }],
];

describe('A value that JSON cannot carry', () => {
  it.each(VALUES)('fails the task that returns it: %s', async (_, bad, path) => {
    work = () => ({ fine: 1, bad });
    const result = await run();
    const error = result.tasks[0]?.error;
    expect(result).toMatchObject({
      status: 'Failed',
      context: {},
      error: { code: 'INVALID_CONTEXT' },
    });
    expect(error?.message).toContain(JSON.stringify(path).slice(0, 14).replace(/"$/, ''));
  });

  it('is refused at set(), with its key and path, and the task goes on', async () => {
    const errors: unknown[] = [];
    work = (context) => {
      for (const [, bad] of VALUES) {
        try {
          context.set('bad', bad);
          errors.push('none');
        } catch (error) {
          errors.push(error);
        }
      }
      return { refused: errors.length, has: context.has('bad') };
    };
    const result = await run();
    expect(result.context).toEqual({ refused: VALUES.length, has: false });
    expect(errors).toMatchObject(VALUES.map(() => ({ code: 'INVALID_CONTEXT', key: 'bad' })));
  });

  it.each<[string, unknown]>([
    ['\\u0000', 'a\u0000b'],
    ['a lone surrogate', '\ud800'],
    ['a number', 5],
    ['undefined', undefined],
    ['a symbol', Symbol('key')],
    ['an object', {}],
  ])('is refused as a key too: %s', async (_, key) => {
    const codes: unknown[] = [];
    const tryIt = (call: () => void): void => {
      try {
        call();
        codes.push('none');
      } catch (error) {
        codes.push((error as { code?: string }).code);
      }
    };
    work = (context) => {
      tryIt(() => context.set(key as string, 1));
      tryIt(() => context.delete(key as string));
    };
    const result = await run();
    expect(codes).toEqual(['INVALID_CONTEXT', 'INVALID_CONTEXT']);
    expect(result).toMatchObject({ status: 'Completed', context: {} });
  });

  it.each<[string, unknown]>([
    ['an array', [1]],
    ['a string', 'text'],
    ['a number', 1],
    ['a Map', new Map([['a', 1]])],
    ['a Date', new Date(0)],
    ['a Proxy whose traps throw', new Proxy({}, { ownKeys: trap })],
    ['a key with \\u0000', { 'a\u0000': 1 }],
    ['a key with a lone surrogate', { '\ud800': 1 }],
  ])('fails the task when it is the result itself: %s', async (_, value) => {
    work = () => value;
    const result = await run();
    expect(result).toMatchObject({ status: 'Failed', error: { code: 'INVALID_CONTEXT' } });
  });

  it.each<[string, unknown]>([
    ...VALUES.map(([what, bad]): [string, unknown] => [what, { bad }]),
    ['an array', [1]],
    ['a string', 'text'],
    ['a Proxy', proxy],
    ['a key with \\u0000', { 'a\u0000': 1 }],
  ])('is refused by start(), which stores nothing: %s', async (_, context) => {
    const before = await tenant.runner.list({ limit: 1 });
    await expect(tenant.runner.start(single, context as object)).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
    });
    expect((await tenant.runner.list({ limit: 1 })).items).toEqual(before.items);
  });
});

describe('What is odd and can be carried', () => {
  it('is stored: dates as text, __proto__ as a key, 1,000 levels, empty keys, surrogate pairs', async () => {
    const odd = JSON.parse('{"__proto__": {"polluted": true}, "": 1, "constructor": 2}') as object;
    const workflow = defineWorkflow('odd')
      .task('write', () => ({ ...odd, at: new Date(0), deep: nested(998), smile: '😀', zero: -0 }))
      .task('read', { dependsOn: ['write'] }, (context) => {
        context.set('__proto__', { again: true });
        return { own: context.has('__proto__'), polluted: 'polluted' in {} };
      })
      .build();
    const { runner } = await openTenant([workflow]);
    const { status, context } = await runner.execute(workflow, { [String('__proto__')]: 1 });
    expect(status).toBe('Completed');
    expect(Object.getOwnPropertyDescriptor(context, '__proto__')?.value).toEqual({ again: true });
    expect(context).toMatchObject({
      '': 1,
      constructor: 2,
      at: '1970-01-01T00:00:00.000Z',
      smile: '😀',
    });
    expect(context).toMatchObject({ own: true, polluted: false, zero: 0 });
    expect(context['deep']).toEqual(nested(998));
    expect(Object.prototype).not.toHaveProperty('polluted');
  });
});

describe('Whatever is thrown', () => {
  it.each(THROWN)('fails the task and is told: %s', async (_, make, error) => {
    work = () => {
      throw make();
    };
    const result = await run(throwing);
    expect(result.status).toBe('Failed');
    for (const task of result.tasks) {
      expect(task).toMatchObject({ status: 'Failed', error });
      expect(task.error?.message.length).toBeLessThanOrEqual(10_000);
    }
    expect(result.tasks[1]?.attempts).toHaveLength(2);
    await waitFor(() => !tenant.engine.isBusy);
  });
});
