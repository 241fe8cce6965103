import { beforeEach, describe, expect, it } from '@jest/globals';
import { ExecutionCache } from '../../../lib/engine/memory/execution-cache.js';
import type { RecordedOutcome } from '../../../lib/store/port/index.js';
import { workflowOf } from '../workflow/some-workflows.js';

/** Tasks 0 and 1 are the roots; 2 comes after 0, and is a leaf as 1 is. */
const WORKFLOW = workflowOf({ a: [], other: [], b: ['a'] });

let cache: ExecutionCache;
beforeEach(() => {
  cache = new ExecutionCache('x', WORKFLOW, 0);
  cache.setInput(new Map([['given', '1']]));
});

function row(taskNo: number, more: Partial<RecordedOutcome> = {}): RecordedOutcome {
  return {
    executionId: 'x',
    taskNo,
    itemNo: 0,
    status: 'Completed',
    skipReason: null,
    error: null,
    output: null,
    deletedKeys: [],
    token: 1,
    ...more,
  };
}

describe('ExecutionCache', () => {
  it('reads outcomes in any order, and joins what their tasks wrote', () => {
    cache.load([
      row(2, { output: '{"b":2}', deletedKeys: ['given'] }),
      row(0, { output: '{"a":1}' }),
    ]);
    expect(cache.inputOf(2).view.toJson()).toBe('{"a":1,"given":1}');
    expect(cache.outcome(2)?.view.toJson()).toBe('{"a":1,"b":2}');
  });

  it('takes no writes of a task that did not complete', () => {
    cache.load([row(0, { status: 'Failed', output: '{"a":1}' })]);
    expect(cache.outcome(0)).toMatchObject({ status: 'Failed' });
    expect(cache.inputOf(2).view.toJson()).toBe('{"given":1}');
  });

  it('keeps the outcome that it has recorded itself', () => {
    cache.load([row(0, { output: '{"a":1}' })]);
    cache.load([row(0, { output: '{"a":2}' })]);
    expect(cache.inputOf(2).view.toJson()).toBe('{"a":1,"given":1}');
  });

  it('knows the final context once it knows the outcomes of all leaves', () => {
    const { view } = cache.inputOf(0);
    cache.load([row(0)]);
    expect(cache.finalContext()).toBeUndefined();
    cache.record(1, { status: 'Completed', view });
    cache.record(1, { status: 'Completed', view });
    expect(cache.finalContext()).toBeUndefined();
    expect(cache.finalContextJson({ no: 2, view })).toBe('{"given":1}');
    cache.record(2, { status: 'Completed', view });
    expect(cache.finalContextJson()).toBe('{"given":1}');
  });

  it('counts no leaf whose outcome it has forgotten', () => {
    const { view } = cache.inputOf(0);
    for (const no of [0, 1, 2]) cache.record(no, { status: 'Completed', view });
    cache.keepAncestorsOf([2]);
    expect([0, 1, 2].map((no) => cache.outcome(no) !== undefined)).toEqual([true, false, false]);
    cache.record(2, { status: 'Completed', view });
    expect(cache.finalContext()).toBeUndefined();
    expect(cache.missingForEnd()).toEqual([1]);
  });

  it('keeps no final context that is large', () => {
    cache.setInput(new Map([['large', JSON.stringify('x'.repeat(10_000))]]));
    cache.load([row(0), row(1), row(2)]);
    expect([cache.finalContext()?.bytes, cache.finalContextJson()]).toEqual([10_012, null]);
  });
});
