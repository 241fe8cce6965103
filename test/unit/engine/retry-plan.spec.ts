import { describe, expect, it } from '@jest/globals';
import { planRetry, type RetryWishes } from '../../../lib/engine/retry-plan.js';
import { END_CHILDREN, type LockedExecution } from '../../../lib/store/port/index.js';
import type { CompiledWorkflow, TaskSource } from '../../../lib/workflow/definition.js';
import { compiled, no, workflowOf } from '../workflow/some-workflows.js';

/** a, then b and c, then d. */
const diamond = workflowOf({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'] });

function executionOf(
  workflow: CompiledWorkflow,
  statuses: Record<string, string>,
  { status = 'Failed', unsettled = 0 } = {},
): LockedExecution {
  const tasks = Object.entries(statuses).map(([name, of]) => {
    const [own = '', skipReason = null] = of.split(' ');
    return { taskNo: no(workflow, name), status: own, skipReason };
  });
  return { definitionId: '1', generation: 0, status, unsettled, tasks };
}

function plan(
  execution: LockedExecution,
  wishes: RetryWishes = { steps: 'keep' },
  workflow = diamond,
) {
  const decision = planRetry(workflow, execution, wishes);
  if (typeof decision === 'string') throw new Error(`decision: ${decision}`);
  const named = decision.tasks.map(
    (task) => [workflow.tasks[task.taskNo]?.name ?? '', task] as const,
  );
  return { tasks: Object.fromEntries(named), leaves: decision.leaves };
}

const oneFailed = { a: 'Completed', b: 'Failed', c: 'Completed', d: 'Skipped upstreamFailure' };

describe('planRetry', () => {
  it('resets the failed task and what follows it, and keeps the rest', () => {
    const { tasks, leaves } = plan(executionOf(diamond, oneFailed));
    expect(Object.keys(tasks).sort()).toEqual(['b', 'd']);
    expect(tasks['b']).toMatchObject({ pendingDependencies: 0, unmetDependencies: 0 });
    expect(tasks['d']).toMatchObject({ pendingDependencies: 1, unmetDependencies: 0 });
    expect(leaves).toBe(1);
  });

  it('keeps the steps of tasks whose input is the same, unless they are to be discarded', () => {
    const kept = plan(executionOf(diamond, oneFailed)).tasks;
    expect([kept['b']?.keepsSteps, kept['d']?.keepsSteps]).toEqual([true, false]);
    const discarded = plan(executionOf(diamond, oneFailed), { steps: 'discard' }).tasks;
    expect(discarded['b']?.keepsSteps).toBe(false);
  });

  it('does nothing in an execution that runs, or that has nothing to retry', () => {
    const running = executionOf(diamond, oneFailed, { status: 'Running' });
    expect(planRetry(diamond, running, { steps: 'keep' })).toBe('nothing');
    const all = { a: 'Completed', b: 'Completed', c: 'Completed', d: 'Completed' };
    const completed = executionOf(diamond, all, { status: 'Completed' });
    expect(planRetry(diamond, completed, { steps: 'keep' })).toBe('nothing');
  });

  it('waits until the children of the former run are cancelled', () => {
    const open = executionOf(diamond, oneFailed, { unsettled: END_CHILDREN });
    expect(planRetry(diamond, open, { steps: 'keep' })).toBe('children');
  });

  it('runs a map again with the items that did not complete, or with all, or anew', () => {
    const node = { kind: 'map' } as TaskSource['node'];
    const mapped = compiled({
      name: 'w',
      tasks: [
        { name: 'list' },
        { name: 'each', dependsOn: ['list'], ...(node === undefined ? {} : { node }) },
      ],
    });
    const itemsOf = (statuses: Record<string, string>, wishes: RetryWishes): unknown =>
      Reflect.get(plan(executionOf(mapped, statuses), wishes, mapped).tasks['each'] ?? {}, 'items');
    const failed = { list: 'Completed', each: 'Failed' };
    expect(itemsOf(failed, { steps: 'keep' })).toBe('unfinished');
    expect(itemsOf(failed, { steps: 'keep', items: 'all' })).toBe('all');
    const before = { list: 'Failed', each: 'Skipped upstreamFailure' };
    expect(itemsOf(before, { steps: 'keep', items: 'all' })).toBe('discard');
  });
});
