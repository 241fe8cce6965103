import { describe, expect, it } from '@jest/globals';
import {
  all,
  always,
  any,
  contextValue,
  handledFailures,
  none,
  notFailed,
  readsContext,
  taskFailed,
  taskSkipped,
  tasksNamedBy,
  taskSucceeded,
} from '../../../lib/workflow/trigger-rule.js';

describe('the builders of rules', () => {
  it('give plain JSON', () => {
    const rule = all(
      taskSucceeded('a'),
      any(taskFailed('b'), taskSkipped('c')),
      none(contextValue('k', 'equals', { x: [1, null] }), contextValue('k', 'exists')),
      always(),
      notFailed(),
    );
    expect(rule).toEqual({
      kind: 'all',
      rules: [
        { kind: 'taskSucceeded', task: 'a' },
        {
          kind: 'any',
          rules: [
            { kind: 'taskFailed', task: 'b' },
            { kind: 'taskSkipped', task: 'c' },
          ],
        },
        {
          kind: 'none',
          rules: [
            { kind: 'contextValue', key: 'k', operator: 'equals', value: { x: [1, null] } },
            { kind: 'contextValue', key: 'k', operator: 'exists' },
          ],
        },
        { kind: 'always' },
        { kind: 'notFailed' },
      ],
    });
    expect(JSON.parse(JSON.stringify(rule))).toStrictEqual(rule);
  });

  it('keep null as a value', () => {
    expect(contextValue('k', 'equals', null)).toStrictEqual({
      kind: 'contextValue',
      key: 'k',
      operator: 'equals',
      value: null,
    });
  });
});

describe('tasksNamedBy', () => {
  it('finds each task once, at any depth, in order', () => {
    const rule = any(
      taskSkipped('c'),
      none(taskFailed('a'), all(taskSucceeded('c'), taskSucceeded('b'))),
      contextValue('task', 'equals', 'd'),
    );
    expect(tasksNamedBy(rule)).toEqual(['c', 'a', 'b']);
    expect(tasksNamedBy(always())).toEqual([]);
  });
});

describe('handledFailures', () => {
  it('are those with taskFailed', () => {
    expect(handledFailures(taskFailed('a'))).toEqual(['a']);
    expect(handledFailures(all(any(taskFailed('b')), taskSkipped('c'), taskFailed('b')))).toEqual([
      'b',
    ]);
    expect(handledFailures(always())).toEqual([]);
    expect(handledFailures(taskSucceeded('a'))).toEqual([]);
  });

  it('are not those under none, however deep', () => {
    expect(handledFailures(none(taskFailed('a')))).toEqual([]);
    expect(handledFailures(none(all(any(taskFailed('a')))))).toEqual([]);
    expect(handledFailures(none(none(taskFailed('a'))))).toEqual([]);
    expect(handledFailures(all(none(taskFailed('a')), taskFailed('b')))).toEqual(['b']);
  });
});

describe('readsContext', () => {
  it('is true of rules with a contextValue', () => {
    expect(readsContext(none(all(contextValue('k', 'exists'), always())))).toBe(true);
    expect(readsContext(all(taskFailed('a'), notFailed()))).toBe(false);
  });
});
