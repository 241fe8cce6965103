import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { canonicalJson } from '../../../lib/workflow/json-equality.js';
import {
  restoreWorkflow,
  storeWorkflow,
  type StoredDefinition,
} from '../../../lib/workflow/stored-definition.js';
import {
  all,
  contextValue,
  none,
  notFailed,
  taskFailed,
  taskSkipped,
  type TriggerRule,
} from '../../../lib/workflow/trigger-rule.js';
import { compiled, graphs } from './some-workflows.js';

const workflow = compiled({
  name: 'orders',
  version: '3',
  description: 'What happens to an order',
  timeout: '1d',
  tasks: [
    { name: 'notify', dependsOn: ['pay', 'check'], when: all(taskFailed('pay'), notFailed()) },
    { name: 'check', priority: 2, retry: { backoff: 'fixed', delay: '5s' } },
    { name: 'pay', dependsOn: ['check'], transactional: true, timeout: '10s' },
  ],
});

/** What comes back from a jsonb column: keys in another order. */
function throughJsonb(stored: StoredDefinition): StoredDefinition {
  return JSON.parse(canonicalJson(stored)) as StoredDefinition;
}

/** The stored workflow with changes, as if someone had put them into the table. */
function tampered(changes: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify({ ...storeWorkflow(workflow), ...changes }));
}

function tamperedTask(index: number, changes: Record<string, unknown>): unknown {
  const { tasks } = storeWorkflow(workflow);
  return tampered({
    tasks: tasks.map((task, i) => (i === index ? { ...task, ...changes } : task)),
  });
}

const anyValue = fc
  .jsonValue()
  .filter((value) => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(value)));

/** A task with everything that it can have. */
function withOptions(task: TaskSource): fc.Arbitrary<TaskSource> {
  const { dependsOn = [] } = task;
  const named = [...dependsOn.map(taskFailed), ...dependsOn.map(taskSkipped)].map(fc.constant);
  const rule: fc.Arbitrary<TriggerRule> = fc.oneof(
    fc.constant(notFailed()),
    fc
      .tuple(fc.string(), anyValue)
      .map(([key, value]) => contextValue(key.replaceAll('\u0000', ''), 'equals', value)),
    ...named,
  );
  return fc
    .record(
      {
        when: fc.oneof(
          rule,
          fc.array(rule, { maxLength: 3 }).map((rules) => none(...rules)),
        ),
        retry: fc.record(
          {
            maxAttempts: fc.integer({ min: 1, max: 9 }),
            backoff: fc.constantFrom('fixed' as const, 'linear' as const),
            delay: fc.constantFrom('1s', 0, 5, '1d'),
            maxDelay: fc.constantFrom('1s', 0, 5, '1d'),
            jitter: fc.boolean(),
          },
          { requiredKeys: [] },
        ),
        timeout: fc.constantFrom('1s', 5, '1d'),
        transactional: fc.boolean(),
        priority: fc.integer({ min: -100, max: 100 }),
      },
      { requiredKeys: [] },
    )
    .map((options) => ({ ...task, ...options }));
}

describe('a stored definition', () => {
  it('is plain JSON, by names', () => {
    expect(storeWorkflow(workflow)).toStrictEqual({
      format: 1,
      hash: workflow.hash,
      name: 'orders',
      version: '3',
      description: 'What happens to an order',
      timeoutMs: 86_400_000,
      tasks: [
        expect.objectContaining({ name: 'check', declared: 1, dependsOn: [], rule: null }),
        expect.objectContaining({ name: 'pay', declared: 2, dependsOn: ['check'] }),
        {
          name: 'notify',
          declared: 0,
          dependsOn: ['pay', 'check'],
          rule: {
            kind: 'all',
            rules: [{ kind: 'taskFailed', task: 'pay' }, { kind: 'notFailed' }],
          },
          retry: {
            maxAttempts: 3,
            backoff: 'exponential',
            delayMs: 1_000,
            maxDelayMs: 30_000,
            jitter: true,
          },
          timeoutMs: 300_000,
          transactional: false,
          priority: 0,
        },
      ],
    });
  });

  it('gives the same workflow back', () => {
    const arbitrary = graphs(12).chain((tasks) => fc.tuple(...tasks.map(withOptions)));
    const text = fc.option(
      fc.string({ minLength: 1 }).map((s) => s.replaceAll('\u0000', '')),
      {
        nil: undefined,
      },
    );
    fc.assert(
      fc.property(arbitrary, text, text, (tasks, version, description) => {
        const before = compiled({ name: 'w', version, description, tasks });
        const after = restoreWorkflow(throughJsonb(storeWorkflow(before)));
        const { taskNo: _taskNo, isAncestor: _isAncestor, ...rest } = before;
        expect(after).toMatchObject(rest);
        expect(storeWorkflow(after)).toStrictEqual(storeWorkflow(before));
        for (const task of before.tasks) expect(after.taskNo(task.name)).toBe(task.no);
      }),
    );
  });

  it('keeps its numbers, even where another release would number otherwise', () => {
    const two = compiled({ name: 'w', tasks: [{ name: 'a' }, { name: 'b' }] });
    const stored = storeWorkflow(two);
    const swapped = { ...stored, tasks: stored.tasks.toReversed() };
    // Only the hash tells, which is told in the error.
    const error = (() => {
      try {
        return restoreWorkflow(swapped);
      } catch (thrown) {
        return thrown;
      }
    })();
    const hash = /its hash is ([0-9a-f]{32}), not/.exec(String(error))?.[1] ?? '';
    const other = restoreWorkflow({ ...swapped, hash });
    expect(other.tasks.map((task) => task.name)).toEqual(['b', 'a']);
    expect(other.leaves).toEqual([1, 0]);
    expect(hash).not.toBe(two.hash);
  });

  it.each<[string, unknown, string]>([
    ['nothing', null, 'The stored workflow definition is not an object.'],
    ['a list', [], 'The stored workflow definition is not an object.'],
    [
      'an empty object',
      {},
      'The stored definition of workflow undefined has the format undefined, and this release reads 1 and 2. A newer release may have written it.',
    ],
    [
      'another format',
      tampered({ format: 3 }),
      'The stored definition of workflow "orders" has the format 3, and this release reads 1 and 2. A newer release may have written it.',
    ],
    [
      'no tasks',
      tampered({ tasks: undefined }),
      'The stored definition of workflow "orders" cannot be used: Workflow "orders" has no tasks; give it at least one.',
    ],
    [
      'tasks that are none',
      tampered({ tasks: [1] }),
      'The stored definition of workflow "orders" does not number its tasks.',
    ],
    [
      'a place taken twice',
      tamperedTask(0, { declared: 0 }),
      'The stored definition of workflow "orders" does not number its tasks.',
    ],
    [
      'a place out of range',
      tamperedTask(0, { declared: 3 }),
      'The stored definition of workflow "orders" does not number its tasks.',
    ],
    [
      'a bad limit',
      tamperedTask(0, { timeoutMs: 'x' }),
      'The stored definition of workflow "orders" cannot be used: Workflow "orders": task "check" has the timeout "x"; it must be milliseconds',
    ],
    [
      'a bad retry',
      tamperedTask(0, { retry: 'x' }),
      'The stored definition of workflow "orders" cannot be used: Workflow "orders": task "check" has a retry that is not an object but "x".',
    ],
    [
      'an unknown dependency',
      tamperedTask(0, { dependsOn: ['x'] }),
      'The stored definition of workflow "orders" cannot be used: Workflow "orders": task "check" depends on "x", which is not a task of this workflow.',
    ],
    [
      'numbers out of order',
      tampered({ tasks: storeWorkflow(workflow).tasks.toReversed() }),
      'The stored definition of workflow "orders" numbers a task before one that it depends on.',
    ],
    [
      'a changed limit',
      tamperedTask(0, { timeoutMs: 1 }),
      'The stored definition of workflow "orders" was changed after it was stored: its hash is ',
    ],
    [
      'a missing limit',
      tamperedTask(1, { timeoutMs: undefined }),
      'The stored definition of workflow "orders" was changed after it was stored: its hash is ',
    ],
    [
      'another hash',
      tampered({ hash: 5 }),
      `The stored definition of workflow "orders" was changed after it was stored: its hash is ${workflow.hash}, not 5.`,
    ],
  ])('is refused with %s', (_what, stored, message) => {
    let thrown: unknown;
    try {
      restoreWorkflow(stored as StoredDefinition);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Error);
    expect((thrown as Error).message.slice(0, message.length)).toBe(message);
  });

  it('is refused with rubbish, by an error of its own', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (a, b) => {
        for (const stored of [a, { ...storeWorkflow(workflow), tasks: [a, b] }]) {
          expect(() => restoreWorkflow(stored as StoredDefinition)).toThrow(/^The stored /);
        }
        const first = Object.assign({}, storeWorkflow(workflow).tasks[0], { rule: a, retry: b });
        const only = { ...storeWorkflow(workflow), tasks: [{ ...first, declared: 0 }] };
        expect(() => restoreWorkflow(only as StoredDefinition)).toThrow(/^The stored /);
      }),
    );
  });
});
