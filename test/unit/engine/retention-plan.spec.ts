import { describe, expect, it } from '@jest/globals';
import { RetentionPlan } from '../../../lib/engine/retention/retention-plan.js';
import { KEEP_ALL, type RetentionRule } from '../../../lib/workflow/retention.js';
import { registered } from './engine-scene.js';

const days = (completed: number | null, failed: number | null = null): RetentionRule => ({
  ...KEEP_ALL,
  completedMs: completed,
  failedMs: failed,
});

function workflow(name: string, retention?: RetentionRule) {
  const own = registered([{ name: 'a' }], { name });
  return retention === undefined ? own : { ...own, retention };
}

describe('RetentionPlan', () => {
  it('prefers the rule of the code, then the stored one, then that of the tenant', () => {
    const plan = new RetentionPlan(days(1), () => [workflow('here', days(2))]);
    expect(plan.takeStored({ here: days(9), elsewhere: days(3) })).toEqual({});
    expect(plan.ruleOf('here')).toEqual(days(2));
    expect(plan.ruleOf('elsewhere')).toEqual(days(3));
    expect(plan.ruleOf('unknown')).toEqual(days(1));
  });

  it('withdraws the stored rule of a workflow whose code gives none any more', () => {
    const plan = new RetentionPlan(days(1), () => [workflow('here')]);
    expect(plan.takeStored({ here: days(9), elsewhere: days(3) })).toEqual({ here: null });
    expect(plan.ruleOf('here')).toEqual(days(1));
  });

  it('knows no rule of a workflow that another process withdrew', () => {
    const plan = new RetentionPlan(days(1), () => []);
    expect(plan.takeStored({ elsewhere: null })).toEqual({});
    expect(plan.ruleOf('elsewhere')).toEqual(days(1));
  });

  it('gives the rules of the code for the others', () => {
    const plan = new RetentionPlan(KEEP_ALL, () => [workflow('a', days(2)), workflow('b')]);
    expect(plan.ofCode).toEqual({ a: days(2) });
  });

  it('has the shortest period of each status', () => {
    const plan = new RetentionPlan(days(5), () => [workflow('a', days(7, 4))]);
    plan.takeStored({ elsewhere: days(6, 8) });
    expect(plan.shortest).toEqual({ completedMs: 5, failedMs: 4, cancelledMs: null });
  });

  it('deletes nothing without a period', () => {
    const plan = new RetentionPlan(KEEP_ALL, () => [workflow('a', { ...KEEP_ALL, keepLast: 3 })]);
    expect(plan.shortest).toBeUndefined();
  });
});
