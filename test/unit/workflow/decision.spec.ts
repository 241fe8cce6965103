import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ContextView } from '../../../lib/workflow/context.js';
import {
  decideTask,
  endStatus,
  tasksToReset,
  unhandledFailures,
  type DependencyOutcome,
} from '../../../lib/workflow/decision.js';
import { canonicalJson } from '../../../lib/workflow/json-equality.js';
import type { TaskStatus } from '../../../lib/workflow/states.js';
import {
  all,
  always,
  any,
  contextValue,
  none,
  notFailed,
  taskFailed,
  taskSkipped,
  taskSucceeded,
  type ContextOperator,
  type TriggerRule,
} from '../../../lib/workflow/trigger-rule.js';
import { ancestorsByName, compiled, graphs, no, workflowOf } from './some-workflows.js';

const OUTCOMES = {
  completed: { status: 'Completed' },
  failed: { status: 'Failed' },
  byRule: { status: 'Skipped', skipReason: 'rule' },
  blocked: { status: 'Skipped', skipReason: 'upstreamFailure' },
  cancelled: { status: 'Cancelled' },
} as const satisfies Record<string, DependencyOutcome>;
type Ending = keyof typeof OUTCOMES;
const ENDINGS = Object.keys(OUTCOMES) as Ending[];

/** What becomes of a task on x and y. */
function decide(
  when: TriggerRule | undefined,
  x: Ending,
  y: Ending = 'completed',
  context: Record<string, unknown> = {},
): 'run' | 'rule' | 'upstreamFailure' {
  const workflow = compiled({
    name: 'w',
    tasks: [{ name: 'x' }, { name: 'y' }, { name: 't', dependsOn: ['y', 'x'], when }],
  });
  const [, , task] = workflow.tasks;
  if (task === undefined) throw new Error('no task');
  const view = ContextView.ofInput(
    new Map(Object.entries(context).map(([key, value]) => [key, JSON.stringify(value)])),
  );
  const outcomes = new Map([
    [no(workflow, 'x'), OUTCOMES[x]],
    [no(workflow, 'y'), OUTCOMES[y]],
  ]);
  const decision = decideTask(
    task,
    workflow,
    (dependency) => {
      const outcome = outcomes.get(dependency);
      if (outcome === undefined) throw new Error('asked about something else');
      return outcome;
    },
    view,
  );
  return decision.run ? 'run' : decision.skipReason;
}

describe('decideTask', () => {
  it.each<[string, TriggerRule | undefined, string[]]>([
    //                                completed  failed             byRule  blocked            cancelled
    [
      'default',
      undefined,
      ['run', 'upstreamFailure', 'rule', 'upstreamFailure', 'upstreamFailure'],
    ],
    ['always', always(), ['run', 'run', 'run', 'run', 'run']],
    [
      'notFailed',
      notFailed(),
      ['run', 'upstreamFailure', 'run', 'upstreamFailure', 'upstreamFailure'],
    ],
    [
      'taskSucceeded',
      taskSucceeded('x'),
      ['run', 'upstreamFailure', 'rule', 'upstreamFailure', 'upstreamFailure'],
    ],
    ['taskFailed', taskFailed('x'), ['rule', 'run', 'rule', 'upstreamFailure', 'upstreamFailure']],
    ['taskSkipped', taskSkipped('x'), ['rule', 'rule', 'run', 'run', 'upstreamFailure']],
    ['none of taskFailed', none(taskFailed('x')), ['run', 'upstreamFailure', 'run', 'run', 'run']],
    [
      'none of taskSkipped',
      none(taskSkipped('x')),
      ['run', 'run', 'rule', 'upstreamFailure', 'run'],
    ],
    ['none of taskSucceeded', none(taskSucceeded('x')), ['rule', 'run', 'run', 'run', 'run']],
    ['none of notFailed', none(notFailed()), ['rule', 'run', 'rule', 'run', 'run']],
    ['none of always', none(always()), ['rule', 'rule', 'rule', 'rule', 'rule']],
  ])('by the rule %s', (_name, rule, decisions) => {
    expect(ENDINGS.map((ending) => decide(rule, ending))).toEqual(decisions);
  });

  it('by the default rule waits for all to have completed, and blames any failure', () => {
    expect(decide(undefined, 'completed', 'byRule')).toBe('rule');
    expect(decide(undefined, 'byRule', 'failed')).toBe('upstreamFailure');
    expect(decide(undefined, 'failed', 'byRule')).toBe('upstreamFailure');
  });

  it('by empty groups: all and none hold, any does not', () => {
    expect(decide(all(), 'failed')).toBe('run');
    expect(decide(none(), 'failed')).toBe('run');
    expect(decide(any(), 'failed')).toBe('rule');
  });

  it('skips for the reason of the members that settle a group', () => {
    const flag = contextValue('flag', 'exists');
    expect(decide(all(taskSucceeded('x'), flag), 'failed')).toBe('upstreamFailure');
    expect(decide(all(taskSucceeded('x'), flag), 'completed')).toBe('rule');
    expect(decide(all(taskFailed('x'), taskFailed('y')), 'failed', 'completed')).toBe('rule');
    expect(decide(all(taskFailed('x'), taskSucceeded('y')), 'failed', 'blocked')).toBe(
      'upstreamFailure',
    );
    expect(decide(any(taskSucceeded('x'), taskSucceeded('y')), 'failed', 'byRule')).toBe(
      'upstreamFailure',
    );
    expect(decide(any(flag, taskFailed('y')), 'failed', 'completed')).toBe('rule');
    expect(decide(none(flag, taskFailed('x')), 'failed', 'completed', { flag: 1 })).toBe(
      'upstreamFailure',
    );
    expect(decide(none(flag, taskFailed('x')), 'completed', 'failed', { flag: 1 })).toBe('rule');
    expect(decide(none(any(taskFailed('x'), flag)), 'byRule', 'failed', { flag: 1 })).toBe('rule');
    expect(decide(none(all(taskFailed('x'), flag)), 'failed', 'failed', { flag: 1 })).toBe(
      'upstreamFailure',
    );
    expect(decide(none(none(taskSucceeded('x'))), 'failed')).toBe('upstreamFailure');
  });

  it('goes on downstream: a join behind an optional branch', () => {
    expect(decide(undefined, 'completed', 'byRule')).toBe('rule');
    expect(decide(notFailed(), 'completed', 'byRule')).toBe('run');
    expect(decide(notFailed(), 'completed', 'blocked')).toBe('upstreamFailure');
  });

  it('refuses a rule on a task that the workflow lacks', () => {
    const workflow = workflowOf({ x: [] });
    const [task] = workflow.tasks;
    if (task === undefined) throw new Error('no task');
    const foreign = { ...task, rule: taskFailed('z') };
    expect(() => decideTask(foreign, workflow, () => OUTCOMES.failed, ContextView.empty)).toThrow(
      'Workflow "w" has no task "z".',
    );
  });
});

describe('a rule on the context', () => {
  const holds = (actual: unknown, operator: ContextOperator, value?: unknown): boolean => {
    const context = actual === undefined ? {} : { key: actual };
    return (
      decide(contextValue('key', operator, value), 'completed', 'completed', context) === 'run'
    );
  };

  it.each<[unknown, ContextOperator, unknown, boolean]>([
    [1, 'equals', 1, true],
    [1, 'equals', '1', false],
    [null, 'equals', null, true],
    [undefined, 'equals', null, false],
    [{ a: [1, { b: 2, c: 3 }] }, 'equals', { a: [1, { c: 3, b: 2 }] }, true],
    [[1, 2], 'equals', [2, 1], false],
    [undefined, 'notEquals', 1, true],
    [1, 'notEquals', 1, false],
    [2, 'greaterThan', 1, true],
    [1, 'greaterThan', 1, false],
    [1, 'lessThan', 2, true],
    [1, 'lessThan', 1, false],
    ['2', 'greaterThan', 1, false],
    [2, 'greaterThan', '1', false],
    ['b', 'greaterThan', 'a', false],
    ['a', 'lessThan', 'b', false],
    [null, 'lessThan', 1, false],
    [0, 'lessThan', true, false],
    ['2026-01-01', 'lessThan', '2027-01-01', false],
    [undefined, 'lessThan', 1, false],
    ['haystack', 'contains', 'st', true],
    ['haystack', 'contains', 'x', false],
    ['haystack', 'contains', '', true],
    ['12', 'contains', 1, false],
    [[1, [2]], 'contains', [2], true],
    [[{ a: 1, b: 2 }], 'contains', { b: 2, a: 1 }, true],
    [['ab'], 'contains', 'a', false],
    [{ a: 1 }, 'contains', 'a', false],
    [12, 'contains', 1, false],
    [undefined, 'contains', 'a', false],
    [[1], 'notContains', 1, false],
    ['a', 'notContains', 'b', true],
    [{ a: 1 }, 'notContains', 'a', true],
    [undefined, 'notContains', 'a', true],
    [null, 'exists', undefined, true],
    [undefined, 'exists', undefined, false],
    [false, 'notExists', undefined, false],
    [undefined, 'notExists', undefined, true],
  ])('%j %s %j: %p', (actual, operator, value, expected) => {
    expect(holds(actual, operator, value)).toBe(expected);
  });

  it('takes a deleted key for one that is not there', () => {
    const workflow = compiled({
      name: 'w',
      tasks: [{ name: 'x' }, { name: 't', dependsOn: ['x'], when: contextValue('k', 'exists') }],
    });
    const view = ContextView.ofInput(new Map([['k', '1']])).withWrites(
      0,
      new Map([['k', undefined]]),
    );
    const [, task] = workflow.tasks;
    if (task === undefined) throw new Error('no task');
    expect(decideTask(task, workflow, () => OUTCOMES.completed, view)).toEqual({
      run: false,
      skipReason: 'rule',
    });
  });

  it('has opposites that are exactly that', () => {
    const text = fc.string().filter((s) => !s.includes('\u0000'));
    const value = fc.oneof(text, fc.integer({ max: 3, min: 0 }), fc.array(text), fc.constant(null));
    fc.assert(
      fc.property(fc.option(value, { nil: undefined }), value, (actual, wanted) => {
        expect(holds(actual, 'notEquals', wanted)).toBe(!holds(actual, 'equals', wanted));
        expect(holds(actual, 'notContains', wanted)).toBe(!holds(actual, 'contains', wanted));
        expect(holds(actual, 'notExists')).toBe(!holds(actual, 'exists'));
        expect(holds(actual, 'equals', wanted)).toBe(
          actual !== undefined && canonicalJson(actual) === canonicalJson(wanted),
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('rules in general', () => {
  const atom: fc.Arbitrary<TriggerRule> = fc.oneof(
    fc
      .constantFrom('x', 'y')
      .chain((task) => fc.constantFrom(taskSucceeded(task), taskFailed(task), taskSkipped(task))),
    fc.constantFrom(
      always(),
      notFailed(),
      contextValue('k', 'exists'),
      contextValue('l', 'exists'),
    ),
  );
  const { rule: anyRule } = fc.letrec<{ rule: TriggerRule }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 3 },
      atom,
      fc
        .tuple(fc.constantFrom(all, any, none), fc.array(tie('rule'), { maxLength: 3 }))
        .map(([group, rules]) => group(...rules)),
    ),
  }));
  const ending = fc.constantFrom(...ENDINGS);

  /** What the words of DESIGN say, in the shortest form, with no thought of reasons. */
  function plainly(rule: TriggerRule, x: Ending, y: Ending): boolean {
    const of = (task: string): Ending => (task === 'x' ? x : y);
    switch (rule.kind) {
      case 'always':
        return true;
      case 'notFailed':
        return ![x, y].some((end) => ['failed', 'blocked', 'cancelled'].includes(end));
      case 'taskSucceeded':
        return of(rule.task) === 'completed';
      case 'taskFailed':
        return of(rule.task) === 'failed';
      case 'taskSkipped':
        return ['byRule', 'blocked'].includes(of(rule.task));
      case 'contextValue':
        return rule.key === 'k';
      case 'all':
        return rule.rules.every((inner) => plainly(inner, x, y));
      case 'any':
        return rule.rules.some((inner) => plainly(inner, x, y));
      case 'none':
        return !rule.rules.some((inner) => plainly(inner, x, y));
    }
  }

  it('hold as their words say', () => {
    fc.assert(
      fc.property(anyRule, ending, ending, (rule, x, y) => {
        expect(decide(rule, x, y, { k: 1 }) === 'run').toBe(plainly(rule, x, y));
      }),
      { numRuns: 500 },
    );
  });

  it('never blame a failure where there is none', () => {
    const fine = fc.constantFrom<Ending>('completed', 'byRule');
    fc.assert(
      fc.property(anyRule, fine, fine, (rule, x, y) => {
        expect(decide(rule, x, y)).not.toBe('upstreamFailure');
      }),
      { numRuns: 300 },
    );
  });

  it('obey De Morgan, reasons included', () => {
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 3 }), ending, ending, (rules, x, y) => {
        const negated = rules.map((rule) => none(rule));
        expect(decide(none(...rules), x, y)).toBe(decide(all(...negated), x, y));
        expect(decide(any(...rules), x, y)).toBe(decide(none(all(...negated)), x, y));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the end of an execution', () => {
  const workflow = compiled({
    name: 'w',
    tasks: [
      { name: 'pay' },
      { name: 'refund', dependsOn: ['pay'], when: taskFailed('pay') },
      { name: 'alert', dependsOn: ['pay'], when: any(taskFailed('pay'), taskSkipped('pay')) },
      { name: 'ship', dependsOn: ['pay'], when: none(taskFailed('pay')) },
      { name: 'log', dependsOn: ['pay'], when: always() },
    ],
  });
  const statuses =
    (byName: Record<string, TaskStatus>) =>
    (number: number): TaskStatus =>
      byName[workflow.tasks[number]?.name ?? ''] ?? 'Skipped';

  it.each<[Record<string, TaskStatus>, string[]]>([
    [{ pay: 'Completed' }, []],
    [{ pay: 'Failed', refund: 'Completed' }, []],
    [{ pay: 'Failed', alert: 'Completed', refund: 'Skipped' }, []],
    [{ pay: 'Failed', refund: 'Skipped' }, ['pay']],
    [{ pay: 'Failed', log: 'Completed', ship: 'Completed' }, ['pay']],
    [{ pay: 'Failed', refund: 'Failed' }, ['pay', 'refund']],
    [{ pay: 'Failed', refund: 'Completed', log: 'Failed' }, ['log']],
    [{ pay: 'Cancelled' }, []],
  ])('with %j leaves %j unhandled', (byName, names) => {
    const unhandled = unhandledFailures(workflow, statuses(byName));
    expect(unhandled).toEqual(names.map((name) => no(workflow, name)));
    expect(endStatus(workflow, statuses(byName))).toBe(names.length === 0 ? 'Completed' : 'Failed');
  });
});

describe('tasksToReset', () => {
  it('are what failed and all that comes after it', () => {
    const workflow = workflowOf({ a: [], b: ['a'], c: ['a'], d: ['c'], e: ['b', 'd'], f: [] });
    const outcomes: Record<string, DependencyOutcome> = {
      a: OUTCOMES.completed,
      b: OUTCOMES.completed,
      c: OUTCOMES.failed,
      d: OUTCOMES.byRule,
      e: OUTCOMES.completed,
      f: OUTCOMES.byRule,
    };
    const reset = tasksToReset(
      workflow,
      (number) => outcomes[workflow.tasks[number]?.name ?? ''] ?? OUTCOMES.failed,
    );
    expect(reset.map((number) => workflow.tasks[number]?.name)).toEqual(['c', 'd', 'e']);
  });

  it('are failures and descendants of failures, and nothing else', () => {
    fc.assert(
      fc.property(
        graphs(20),
        fc.infiniteStream(fc.constantFrom<Ending>(...ENDINGS)),
        (tasks, stream) => {
          const workflow = compiled({ name: 'w', tasks });
          const endings = new Map<string, Ending>(
            tasks.map((task) => [task.name, stream.next().value ?? 'failed']),
          );
          const failed = (name: string): boolean =>
            ['failed', 'blocked', 'cancelled'].includes(endings.get(name) ?? '');
          const ancestors = ancestorsByName(tasks);
          const expected = workflow.tasks
            .filter(({ name }) => failed(name) || [...(ancestors.get(name) ?? [])].some(failed))
            .map((task) => task.no);
          const outcomeOf = (number: number): DependencyOutcome =>
            OUTCOMES[endings.get(workflow.tasks[number]?.name ?? '') ?? 'failed'];
          expect(tasksToReset(workflow, outcomeOf)).toEqual(expected);
        },
      ),
    );
  });
});
