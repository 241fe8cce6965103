import { describe, expect, it } from '@jest/globals';
import {
  all,
  always,
  any,
  contextValue,
  none,
  notFailed,
  taskFailed,
  taskSucceeded,
  type TriggerRule,
} from '../../../lib/workflow/trigger-rule.js';
import type { WorkflowSource } from '../../../lib/workflow/definition.js';
import { compiled, no, problemsOf, workflowOf } from './some-workflows.js';

/** The problems of one task, without the words that are the same for all. */
function taskProblems(task: Record<string, unknown>): string[] {
  const tasks = [{ name: 'a' }, { name: 'b' }, { name: 'task', dependsOn: ['a', 'b'], ...task }];
  return problemsOf({ name: 'w', tasks }).map((text) =>
    text.replace('Workflow "w": task "task" ', ''),
  );
}

describe('compileWorkflow', () => {
  it('fills in the defaults', () => {
    const workflow = compiled({ name: 'w', tasks: [{ name: 'a' }] });
    expect(workflow).toMatchObject({
      name: 'w',
      hash: expect.stringMatching(/^[0-9a-f]{32}$/),
      roots: [0],
      leaves: [0],
      dependents: [[]],
      tasks: [
        {
          no: 0,
          name: 'a',
          declared: 0,
          dependsOn: [],
          rule: null,
          handles: [],
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
    expect('version' in workflow || 'description' in workflow || 'timeoutMs' in workflow).toBe(
      false,
    );
  });

  it('takes what is given', () => {
    const workflow = compiled({
      name: 'w',
      version: '2.1',
      description: 'does things',
      timeout: '2h',
      tasks: [
        { name: 'a' },
        { name: 'c', dependsOn: ['b', 'a'], when: any(taskFailed('a'), none(taskFailed('b'))) },
        {
          name: 'b',
          retry: { maxAttempts: 5, backoff: 'linear', delay: 0, maxDelay: '1m', jitter: false },
          timeout: '90s',
          transactional: true,
          priority: -5,
        },
      ],
    });
    expect(workflow).toMatchObject({
      version: '2.1',
      description: 'does things',
      timeoutMs: 7_200_000,
    });
    expect(workflow.tasks[no(workflow, 'b')]).toMatchObject({
      declared: 2,
      retry: { maxAttempts: 5, backoff: 'linear', delayMs: 0, maxDelayMs: 60_000, jitter: false },
      timeoutMs: 90_000,
      transactional: true,
      priority: -5,
    });
    expect(workflow.tasks[no(workflow, 'c')]).toMatchObject({
      dependsOn: [no(workflow, 'b'), no(workflow, 'a')],
      handles: [no(workflow, 'a')],
    });
  });

  it('does not cut a longer delay down to the default maximum', () => {
    const [task] = compiled({ name: 'w', tasks: [{ name: 'a', retry: { delay: '1m' } }] }).tasks;
    expect(task?.retry).toMatchObject({ delayMs: 60_000, maxDelayMs: 60_000 });
    const [capped] = compiled({
      name: 'w',
      tasks: [{ name: 'a', retry: { delay: '1m', maxDelay: '5s' } }],
    }).tasks;
    expect(capped?.retry).toMatchObject({ delayMs: 60_000, maxDelayMs: 5_000 });
  });

  it('keeps its own copy of a rule', () => {
    const value = { list: [1] };
    const rules: TriggerRule[] = [contextValue('k', 'equals', value)];
    const tasks = [{ name: 'a', when: { kind: 'all', rules, extra: 1 } as TriggerRule }];
    const workflow = compiled({ name: 'w', tasks });
    value.list.push(2);
    rules.push(always());
    expect(workflow.tasks[0]?.rule).toStrictEqual({
      kind: 'all',
      rules: [{ kind: 'contextValue', key: 'k', operator: 'equals', value: { list: [1] } }],
    });
  });

  it('takes names that objects have of their own', () => {
    const workflow = compiled({
      name: 'constructor',
      tasks: [{ name: '__proto__' }, { name: 'toString', dependsOn: ['__proto__'] }],
    });
    expect(workflow.taskNo('toString')).toBe(1);
    expect(workflow.taskNo('hasOwnProperty')).toBeUndefined();
    expect(problemsOf({ name: 'w', tasks: [{ name: 'a', dependsOn: ['toString'] }] })).toHaveLength(
      1,
    );
  });
});

describe('the hash', () => {
  const base: WorkflowSource = {
    name: 'w',
    version: '1',
    description: 'x',
    timeout: 1_000,
    tasks: [
      { name: 'a' },
      { name: 'b' },
      { name: 'c', dependsOn: ['a', 'b'], when: contextValue('k', 'equals', { x: 1, y: 2 }) },
    ],
  };
  const [a, b, c] = base.tasks;
  const hash = (change: Record<string, unknown>): string => compiled({ ...base, ...change }).hash;
  const withC = (change: Record<string, unknown>): string =>
    hash({ tasks: [a, b, { ...c, ...change }] });

  it('is the same for what runs the same', () => {
    expect(hash({ description: 'y' })).toBe(hash({}));
    expect(hash({ description: undefined })).toBe(hash({}));
    expect(hash({ timeout: '1s' })).toBe(hash({}));
    expect(withC({ retry: { maxAttempts: 3 }, timeout: '5m', priority: 0 })).toBe(hash({}));
    expect(withC({ when: contextValue('k', 'equals', { y: 2, x: 1 }) })).toBe(hash({}));
  });

  it('is another one for whatever changes a run', () => {
    const hashes = [
      hash({}),
      hash({ name: 'v' }),
      hash({ version: '2' }),
      hash({ version: undefined }),
      hash({ timeout: 1_001 }),
      hash({ timeout: undefined }),
      hash({ tasks: [b, a, c] }),
      hash({ tasks: [a, b, c, { name: 'd' }] }),
      withC({ name: 'd' }),
      withC({ dependsOn: ['b', 'a'] }),
      withC({ dependsOn: ['a'] }),
      withC({ when: undefined }),
      withC({ when: always() }),
      withC({ when: contextValue('k', 'equals', { x: 1, y: 3 }) }),
      withC({ retry: { maxAttempts: 4 } }),
      withC({ retry: { backoff: 'fixed' } }),
      withC({ retry: { delay: 1 } }),
      withC({ retry: { maxDelay: 1 } }),
      withC({ retry: { jitter: false } }),
      withC({ timeout: 1 }),
      withC({ transactional: true }),
      withC({ priority: 1 }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('never changes for a definition that is stored somewhere', () => {
    // Executions are pinned to it: another release that computes another hash breaks them.
    expect(hash({})).toBe('c5e58bcb9e108851c070271c67128820');
  });
});

describe('the problems of a workflow', () => {
  it('are about its own fields', () => {
    expect(problemsOf(undefined)).toEqual(['A workflow must be an object with a name and tasks.']);
    expect(problemsOf({})).toEqual([
      'The workflow needs a name.',
      'The workflow has no tasks; give it at least one.',
    ]);
    expect(problemsOf({ name: '', tasks: [] })).toEqual([
      'Workflow "" needs a name.',
      'Workflow "" has no tasks; give it at least one.',
    ]);
    expect(problemsOf({ name: 'w', tasks: 'a' })).toEqual([
      'Workflow "w" has no tasks; give it at least one.',
    ]);
    expect(
      problemsOf({
        name: 'w\n',
        version: 2,
        description: 'a\u0000',
        timeout: -1,
        tasks: [{ name: 'a' }],
      }),
    ).toEqual([
      'Workflow "w\\n" has a control character in its name; remove it.',
      'Workflow "w\\n" has a version that is not a string but 2.',
      'Workflow "w\\n" has a description that contains \\u0000, which PostgreSQL cannot store; remove it.',
      expect.stringContaining(
        'Workflow "w\\n" has the timeout -1; it must be milliseconds, or a string',
      ),
    ]);
    expect(
      problemsOf({
        name: 'w',
        version: 'v'.repeat(201),
        description: 'd'.repeat(10_001),
        tasks: [{ name: 'a' }],
      }),
    ).toEqual([
      'Workflow "w" has a version of 201 characters; at most 200 are allowed.',
      'Workflow "w" has a description of 10001 characters; at most 10000 are allowed.',
    ]);
  });

  it('are about the names of tasks', () => {
    const tasks = [
      { name: 'x'.repeat(200) },
      { name: 'y'.repeat(201) },
      { name: '' },
      { name: '' },
      {},
      null,
      { name: 'tab\t' },
      { name: 'half\ud83d' },
      { name: 'twice' },
      { name: 'twice' },
      { name: 'twice' },
    ];
    expect(problemsOf({ name: 'w', tasks })).toEqual([
      `Workflow "w": task "${'y'.repeat(99)}…" has a name of 201 characters; at most 200 are allowed.`,
      'Workflow "w": task number 3 needs a name.',
      'Workflow "w": task number 4 needs a name.',
      'Workflow "w": task number 5 needs a name.',
      'Workflow "w": task number 6 needs a name.',
      'Workflow "w": task "tab\\t" has a control character in its name; remove it.',
      'Workflow "w": task "half\\ud83d" has a name that contains half of a surrogate pair, which is not valid Unicode; perhaps it was cut inside an emoji.',
      'Workflow "w" has two tasks named "twice"; rename one of them.',
    ]);
    expect(problemsOf({ name: 'w', tasks: new Array(2) })).toHaveLength(2);
  });

  it('are about dependencies', () => {
    expect(taskProblems({ dependsOn: 'a' })).toEqual([
      'has a dependsOn that is not a list but "a".',
    ]);
    expect(taskProblems({ dependsOn: ['a', 5] })).toEqual([
      'lists 5 in dependsOn; list the names of tasks.',
    ]);
    expect(taskProblems({ dependsOn: ['a', 'b', 'a', 'b', 'a'] })).toEqual([
      'lists "a" more than once in dependsOn; list it once.',
      'lists "b" more than once in dependsOn; list it once.',
    ]);
    expect(taskProblems({ dependsOn: ['task', 'a'] })).toEqual([
      'depends on itself; remove it from its dependsOn.',
    ]);
    expect(taskProblems({ dependsOn: ['A'] })).toEqual([
      'depends on "A", which is not a task of this workflow. Did you mean "a"?',
    ]);
    expect(taskProblems({ dependsOn: ['nothing like it'] })).toEqual([
      'depends on "nothing like it", which is not a task of this workflow.',
    ]);
    expect(taskProblems({ dependsOn: null })).toEqual([]);
  });

  it('are about cycles, with their paths', () => {
    const cycle = (path: string): string =>
      `Workflow "w" has a cycle: ${path} (each depends on the next). Remove one of these dependencies.`;
    const tasks = (dependencies: Record<string, string[]>): unknown => ({
      name: 'w',
      tasks: Object.entries(dependencies).map(([name, dependsOn]) => ({ name, dependsOn })),
    });
    expect(problemsOf(tasks({ a: ['b'], b: ['a'] }))).toEqual([cycle('a → b → a')]);
    expect(
      problemsOf(tasks({ root: [], a: ['root', 'c'], b: ['a'], c: ['b'], d: ['e'], e: ['d'] })),
    ).toEqual([cycle('a → c → b → a'), cycle('d → e → d')]);
    const ring = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`t${i}`, [`t${(i + 1) % 100}`]]),
    );
    expect(problemsOf(tasks(ring))).toEqual([
      expect.stringMatching(/cycle: t0 → t1 → .*t9 → … 81 more … → t91 → .*t99 → t0 \(/),
    ]);
    const pairs = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`t${i}`, [`t${i % 2 === 0 ? i + 1 : i - 1}`]]),
    );
    expect(problemsOf(tasks(pairs))).toHaveLength(10);
  });

  it('are about limits', () => {
    const duration =
      "milliseconds, or a string such as '250ms', '30s', '15m', '2h' or '7d', at most ten years";
    expect(taskProblems({ timeout: '5 parsecs' })).toEqual([
      `has the timeout "5 parsecs"; it must be ${duration}.`,
    ]);
    expect(taskProblems({ timeout: 0 })).toEqual([
      'has a timeout of 0; leave it out, or set a longer one.',
    ]);
    expect(taskProblems({ timeout: () => 1 })).toEqual([
      `has the timeout a function; it must be ${duration}.`,
    ]);
    for (const priority of [1.5, 101, -101, '1', Number.NaN, null]) {
      expect(taskProblems({ priority })).toEqual([
        `has the priority ${JSON.stringify(priority).replace('null', String(priority))}; it must be a whole number from -100 to 100.`,
      ]);
    }
    expect(taskProblems({ priority: -100 })).toEqual([]);
    expect(taskProblems({ transactional: 'yes' })).toEqual([
      'has the transactional "yes"; it must be true or false.',
    ]);
  });

  it('are about retries', () => {
    expect(taskProblems({ retry: 3 })).toEqual(['has a retry that is not an object but 3.']);
    expect(taskProblems({ retry: null })).toEqual([]);
    expect(
      taskProblems({
        retry: { maxAttempts: 0, backoff: 'random', delay: '1', maxDelay: [], jitter: 0.5 },
      }),
    ).toEqual([
      "has the unknown backoff \"random\"; it must be 'fixed', 'linear' or 'exponential'.",
      expect.stringMatching(/^has the retry.delay "1"; it must be milliseconds/),
      'has the retry.maxAttempts 0; it must be a whole number from 1 to 2147483647.',
      expect.stringMatching(/^has the retry.maxDelay a list; it must be milliseconds/),
      'has the retry.jitter 0.5; it must be true or false.',
    ]);
    for (const maxAttempts of [-1, 2.5, Number.POSITIVE_INFINITY]) {
      expect(taskProblems({ retry: { maxAttempts } })).toHaveLength(1);
    }
  });

  it('are about rules', () => {
    const rule = (when: unknown): string[] => taskProblems({ when });
    expect(rule(null)).toEqual([]);
    expect(rule(all(notFailed(), none(), any(taskSucceeded('a'))))).toEqual([]);
    expect(rule('always')).toEqual([
      'has a rule that is not a trigger rule; make it with taskSucceeded(), all() or another rule function.',
    ]);
    expect(rule({ kind: 'never' })).toEqual([
      'has a rule of unknown kind "never"; it must be taskSucceeded, taskFailed, taskSkipped, contextValue, all, any, none, always or notFailed.',
    ]);
    expect(rule({ kind: {} })).toEqual([expect.stringContaining('unknown kind an object')]);
    expect(rule({ kind: 'taskFailed' })).toEqual(['has a taskFailed without the name of a task.']);
    expect(rule({ kind: 'all' })).toEqual(['has an all without a list of rules.']);
    expect(rule({ kind: 'none', rules: {} })).toEqual(['has a none without a list of rules.']);
    expect(rule({ kind: 'any', rules: new Array(1) })).toHaveLength(1);
    expect(rule(all(taskFailed('b'), taskSucceeded('c'), taskFailed('aa')))).toEqual([
      'has a rule on "c", which is not in its dependsOn; add it there, or remove it from the rule. Did you mean "a"?',
      'has a rule on "aa", which is not in its dependsOn; add it there, or remove it from the rule. Did you mean "a"?',
    ]);
  });

  it('are about rules on the context', () => {
    const rule = (key: unknown, operator: unknown, value?: unknown): string[] =>
      taskProblems({ when: any({ kind: 'contextValue', key, operator, value } as TriggerRule) });
    expect(rule(undefined, 'exists')).toEqual(['has a contextValue without a key.']);
    expect(rule('k\u0000', 'exists')).toEqual([
      'has a contextValue of "k\\u0000", a key that contains \\u0000, which PostgreSQL cannot store; remove it.',
    ]);
    for (const operator of ['toString', 'is', undefined]) {
      expect(rule('k', operator, 1)).toEqual([
        `has a contextValue of "k" with the unknown operator ${JSON.stringify(operator)}; it must be one of equals, notEquals, greaterThan, lessThan, contains, notContains, exists, notExists.`,
      ]);
    }
    expect(rule('k', 'exists', true)).toEqual([
      'has a contextValue of "k" with a value, which exists does not take; leave it out.',
    ]);
    expect(rule('k', 'equals')).toEqual([
      'has a contextValue of "k" without a value, which equals needs.',
    ]);
    expect(rule('k', 'contains', { x: [1n] })).toEqual([
      'has a contextValue of "k" with a value that JSON cannot carry: at x[0] it is a BigInt; use a string, or a number where it is small enough.',
    ]);
    expect(rule('k', 'equals', Number.NaN)).toEqual([
      'has a contextValue of "k" with a value that JSON cannot carry: it is NaN; use null.',
    ]);
    expect(rule('k', 'equals', null)).toEqual([]);
  });

  it('end where a rule does not', () => {
    const rules: TriggerRule[] = [];
    const loop: TriggerRule = { kind: 'all', rules };
    rules.push(loop, loop);
    expect(taskProblems({ when: loop })).toEqual([
      'has a rule that contains itself.',
      'has a rule that contains itself.',
    ]);
    let deep: TriggerRule = always();
    for (let level = 0; level < 20; level++) deep = any(deep);
    expect(taskProblems({ when: deep })).toEqual([]);
    expect(taskProblems({ when: all(deep) })).toEqual([
      'has a rule of more than 20 levels; make it flatter.',
    ]);
  });

  it('are all told at once', () => {
    const problems = problemsOf({
      name: 'w',
      timeout: 'x',
      tasks: [
        { name: 'a', dependsOn: ['b', 'nope'] },
        { name: 'b', dependsOn: ['a'], when: taskFailed('zzz') },
        { name: 'b', timeout: {} },
        { name: 'c', priority: 0.5, dependsOn: ['c'] },
      ],
    });
    expect(problems).toHaveLength(8);
  });

  it('come with few suggestions when there are many: each takes a look at all names', () => {
    const tasks = Array.from({ length: 3_000 }, (_, i) => ({
      name: `t${i}`,
      dependsOn: [`u${i}`],
    }));
    const problems = problemsOf({ name: 'w', tasks });
    expect(problems).toHaveLength(3_000);
    expect(problems.filter((problem) => problem.includes('Did you mean'))).toHaveLength(20);
  });
});

describe('a compiled workflow', () => {
  it('knows its roots and leaves', () => {
    const workflow = workflowOf({ c: ['a'], d: ['b', 'a'], a: [], b: [] });
    expect(workflow.roots).toEqual([no(workflow, 'a'), no(workflow, 'b')]);
    expect(workflow.leaves).toEqual([no(workflow, 'c'), no(workflow, 'd')]);
    expect(workflow.tasks.map((task) => task.name)).toEqual(['a', 'c', 'b', 'd']);
  });
});
