import { beforeEach, describe, expect, it } from '@jest/globals';
import { ExecutionCache } from '../../../lib/engine/memory/execution-cache.js';
import type { RecordedOutcome } from '../../../lib/store/port/index.js';
import { ContextView, taskFailed } from '../../../lib/workflow/index.js';
import { compiled } from '../workflow/some-workflows.js';

const error = { name: 'Error', message: 'declined' };
const view = ContextView.empty;
let cache: ExecutionCache;
beforeEach(() => {
  const tasks = [
    { name: 'charge' },
    { name: 'ship', dependsOn: ['charge'] },
    { name: 'refund', dependsOn: ['ship'], when: taskFailed('ship') },
  ];
  cache = new ExecutionCache('x', compiled({ name: 'order', tasks }), 0);
});

function row(taskNo: number, status: string): RecordedOutcome {
  const stored = status === 'Failed' ? JSON.stringify(error) : null;
  const facts = { executionId: 'x', taskNo, itemNo: 0, status, error: stored, token: 1 };
  return { ...facts, skipReason: null, output: null, deletedKeys: [] };
}

describe('unhandledFailure', () => {
  it('is the failure of a task behind which others were skipped', () => {
    cache.record(0, { status: 'Failed', error, view });
    cache.record(1, { status: 'Skipped', skipReason: 'upstreamFailure', view });
    expect(cache.unhandledFailure()).toMatchObject({ task: { name: 'charge' }, error });
  });

  it('is known of outcomes that were read', () => {
    cache.setInput(new Map());
    cache.load([row(0, 'Completed'), row(1, 'Failed'), row(2, 'Skipped')]);
    expect(cache.unhandledFailure()).toMatchObject({ task: { name: 'ship' }, error });
  });

  it('is not a failure that another task has handled', () => {
    cache.record(1, { status: 'Failed', error, view });
    cache.record(2, { status: 'Completed', view });
    expect(cache.unhandledFailure()).toBeUndefined();
  });

  it('is not a failure that a task may have handled elsewhere', () => {
    cache.record(1, { status: 'Failed', error, view });
    expect(cache.unhandledFailure()).toBeUndefined();
  });
});
