import { describe, expect, it } from '@jest/globals';
import {
  FAIR_LIMIT,
  findLimitKey,
  isItemPath,
  joinLimitKeys,
  joinLimits,
  limitKeyOf,
  mapKeyIn,
  mapLimitKey,
  restoreWorkflow,
  slotKeyOf,
  splitLimitKey,
  storeWorkflow,
  type LimitRef,
  type StoredDefinition,
} from '../../../lib/workflow/index.js';
import { canonicalJson } from '../../../lib/workflow/json-equality.js';
import { compiled, problemsOf } from './some-workflows.js';

const workflowWith = (limit: LimitRef) => compiled({ name: 'w', tasks: [{ name: 'call', limit }] });
const problemsWith = (limit: unknown): string[] =>
  problemsOf({ name: 'w', tasks: [{ name: 'call', limit }] });

describe('A limit of a task', () => {
  it('is stored with its name and the path of its key, and without its numbers', () => {
    const workflow = workflowWith({
      name: 'stripe',
      key: 'customer.id',
      concurrency: 4,
      rate: { limit: 90, per: '1s' },
      total: 200,
    });
    expect(workflow.tasks[0]?.limit).toEqual({ name: 'stripe', key: 'customer.id' });
    expect(workflow.limits).toEqual([
      {
        name: 'stripe',
        numbers: { concurrency: 4, rate: { limit: 90, perMs: 1_000, burst: 9 }, total: 200 },
        place: 'Workflow "w", task "call"',
      },
    ]);
  });

  it('keeps the definition the same when its numbers change', () => {
    const four = workflowWith({ name: 'stripe', key: 'id', concurrency: 4 });
    expect(workflowWith({ name: 'stripe', key: 'id', concurrency: 5 }).hash).toBe(four.hash);
    expect(workflowWith({ name: 'stripe', key: 'no', concurrency: 4 }).hash).not.toBe(four.hash);
  });

  it('needs format 2, which a workflow without limits does not', () => {
    expect(storeWorkflow(workflowWith('stripe')).format).toBe(2);
    expect(storeWorkflow(compiled({ name: 'w', tasks: [{ name: 'call' }] })).format).toBe(1);
  });

  it('is the same after it was stored', () => {
    const workflow = workflowWith({ name: 'stripe', key: 'a.b', concurrency: 4 });
    const stored = JSON.parse(canonicalJson(storeWorkflow(workflow))) as StoredDefinition;
    const restored = restoreWorkflow(stored);
    expect(restored.hash).toBe(workflow.hash);
    expect(restored.tasks[0]?.limit).toEqual({ name: 'stripe', key: 'a.b' });
  });

  it.each<readonly [string, unknown, string]>([
    ['a number', 7, 'has a limit that is 7; it must be the name'],
    ['no name', { concurrency: 1 }, 'has a limit that needs a name'],
    ['a long name', 'x'.repeat(101), 'name of 101 characters'],
    ['an unknown member', { name: 'n', concurency: 1 }, 'the unknown member "concurency"'],
    ['too many slots', { name: 'n', concurrency: 1_001 }, 'a whole number from 0 to 1000'],
    ['a part of a slot', { name: 'n', concurrency: 1.5 }, 'the concurrency 1.5'],
    [
      'a function as the key',
      { name: 'n', key: () => 'k' },
      'the key a function; it must be a path',
    ],
    ['a path with a gap', { name: 'n', key: 'a..b' }, 'the key "a..b"; it must be a path'],
    ['a rate without a time', { name: 'n', rate: { limit: 1 } }, "a rate without 'per'"],
    ['a rate in no time', { name: 'n', rate: { limit: 1, per: 0 } }, 'a rate.per of 0'],
    ['another order', { name: 'n', concurrency: 1, order: 'fifo' }, 'the order "fifo"; it must be'],
    ['an order of many', { name: 'n', concurrency: 2, order: 'strict' }, 'needs concurrency: 1'],
    ['a rate of nothing', { name: 'n', rate: { limit: 0, per: '1s' } }, 'the rate.limit 0'],
  ])('is refused with %s', (_, limit, problem) => {
    expect(problemsWith(limit).join(' ')).toContain(problem);
  });
});

describe('A fairKey', () => {
  const problemsOfTask = (task: object): string =>
    problemsOf({ name: 'w', tasks: [{ name: 'call', ...task }] }).join(' ');

  it('is the key of a limit without numbers', () => {
    const workflow = compiled({ name: 'w', tasks: [{ name: 'call', fairKey: 'customer.id' }] });
    expect(workflow.tasks[0]?.limit).toEqual({ name: FAIR_LIMIT, key: 'customer.id' });
    expect(joinLimits(workflow.limits ?? [])).toEqual({ limits: new Map(), problems: [] });
    expect(storeWorkflow(workflow).format).toBe(2);
  });

  it('is a path, and not beside a limit', () => {
    expect(problemsOfTask({ fairKey: 7 })).toContain('the fairKey 7; it must be a path');
    expect(problemsOfTask({ fairKey: 'a..b' })).toContain('the fairKey');
    expect(problemsOfTask({ fairKey: 'a', limit: 'n' })).toContain('both a limit and a fairKey');
  });

  it.each<[string, object]>([
    ['a sleep', { kind: 'sleep', for: '1h' }],
    ['a child', { kind: 'child', workflow: 'other' }],
    ['a map, whose items take turns by the key of a limit', { kind: 'map' }],
  ])('is refused for %s', (_, node) => {
    expect(problemsOfTask({ fairKey: 'a', node })).toContain('is a node, which has no fairKey');
  });
});

describe('The key of a task', () => {
  const key = (path: string, input: unknown): unknown =>
    findLimitKey({ name: 'n', key: path }, input);

  it('is the value at the path, whatever its type', () => {
    expect(key('customer.id', { customer: { id: 'a' } })).toEqual({
      ok: true,
      limitKey: limitKeyOf('n', 'a'),
    });
    expect(key('id', { id: 17 })).toEqual(key('id', { id: '17' }));
    expect(key('big', { big: true })).toEqual({ ok: true, limitKey: limitKeyOf('n', 'true') });
  });

  it('is one for all tasks without a path', () => {
    expect(findLimitKey({ name: 'n' }, {})).toEqual({ ok: true, limitKey: limitKeyOf('n', '') });
  });

  it.each([
    ['missing', 'a.b', { a: {} }],
    ['missing', 'toString', {}],
    ['missing', 'a', { a: null }],
    ['an object', 'a', { a: { b: 1 } }],
    ['a list', 'a', { a: [1] }],
    ['empty', 'a', { a: '' }],
    ['at most 500', 'a', { a: 'x'.repeat(501) }],
    ['u0000', 'a', { a: '\u0000' }],
    ['u001e', 'a', { a: 'b\u001ec' }],
  ])('can not be %s', (problem, path, input) => {
    expect(key(path, input)).toMatchObject({
      ok: false,
      problem: expect.stringContaining(problem),
    });
  });

  it('is found again in its stored form, whatever it contains', () => {
    const stored = limitKeyOf('n', 'a\u001fb');
    expect(splitLimitKey(stored)).toEqual({ name: 'n', key: 'a\u001fb' });
  });
});

describe('The key of an item', () => {
  it('is at a path in the item or in the input', () => {
    expect(['item', 'item.id', 'items.id', 'id', undefined].map(isItemPath)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('is joined with that of its map, and found again', () => {
    const own = limitKeyOf('n', 'a\u001fb');
    const map = mapLimitKey({ definitionId: '1', executionId: 'x', taskNo: 0 });
    const joined = joinLimitKeys(own, map);
    expect([slotKeyOf(joined), mapKeyIn(joined)]).toEqual([own, map]);
    expect(splitLimitKey(joined)).toEqual({ name: 'n', key: 'a\u001fb' });
    for (const single of [own, map]) {
      expect([slotKeyOf(single), mapKeyIn(single)]).toEqual([single, undefined]);
    }
  });
});

describe('The limits of an application', () => {
  const place = 'Workflow "w", task "t"';

  it('have the numbers that one of the tasks gives', () => {
    const { limits, problems } = joinLimits([
      { name: 'n', place },
      { name: 'n', numbers: { concurrency: 1 }, place },
      { name: 'n', numbers: { concurrency: 1 }, place },
    ]);
    expect(problems).toEqual([]);
    expect(limits.get('n')).toEqual({ concurrency: 1 });
  });

  it('must not have different numbers', () => {
    const numbers = [1, 2].map((concurrency) => ({ name: 'n', numbers: { concurrency }, place }));
    expect(joinLimits(numbers).problems.join()).toContain('Limit "n" has different numbers');
  });

  it('need numbers', () => {
    expect(joinLimits([{ name: 'n', place }]).problems.join()).toContain('has no numbers');
  });
});
