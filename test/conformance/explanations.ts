import { beforeEach, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type { ExplanationStore, OpenItems } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { itemOutcomeOf, rescheduleOf, workflow, type TestWorkflow } from './workflows.js';

const ITEMS = 6;

export function describeExplanations(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let definitionId: string;
  beforeEach(async () => {
    definitionId = tested.newDefinition();
    of = workflow([[], []], { definitionId });
    id = await worker.startOne(of);
    await tested.behind.addItems(id, 0, ITEMS);
  });
  const reads = (): ExplanationStore => tested.store.explanations;

  test('count the items that have not ended by cause, the largest group first', async () => {
    const claims = await worker.claim([definitionId], 3);
    const [ended, failed, running] = claims.toSorted((a, b) => a.itemNo - b.itemNo);
    await worker.complete([itemOutcomeOf(ended!)]);
    const delayed = { itemNo: failed!.itemNo, token: failed!.token, delayMs: 3_600_000 };
    const error = { name: 'Error', message: 'no' };
    await tested.store.reschedule([rescheduleOf('retry', id, 0, { ...delayed, error })]);
    const rest: OpenItems = {
      taskNo: 0,
      cause: 'due',
      owner: null,
      limitKey: null,
      count: 3,
      first: expect.any(Number) as unknown as number,
      last: expect.any(Number) as unknown as number,
    };
    const groups = await reads().openItems(id, [0], ITEMS);
    expect(groups).toHaveLength(3);
    expect(groups[0]).toEqual(rest);
    const one = { count: 1, first: failed!.itemNo, last: failed!.itemNo };
    expect(groups).toContainEqual({ ...rest, ...one, cause: 'backoff' });
    expect(groups).toContainEqual({
      ...rest,
      count: 1,
      cause: 'running',
      owner: worker.claimant.instanceId,
      first: running!.itemNo,
      last: running!.itemNo,
    });
    expect(await reads().openItems(id, [1], ITEMS)).toEqual([]);
  });

  test('look at the first and the last items of a map, and at none twice', async () => {
    const counts = [2, 3, 4, 100].map(async (atEach) => {
      const [group] = await reads().openItems(id, [0], atEach);
      return [atEach, group?.count, group?.first, group?.last];
    });
    expect(await Promise.all(counts)).toEqual([
      [2, 4, 1, ITEMS],
      [3, ITEMS, 1, ITEMS],
      [4, ITEMS, 1, ITEMS],
      [100, ITEMS, 1, ITEMS],
    ]);
  });

  test('read the rows of items, without those that are missing', async () => {
    const key = { executionId: id, taskNo: 0 };
    const rows = await reads().items([
      { ...key, itemNo: 2 },
      { ...key, itemNo: ITEMS + 1 },
    ]);
    expect(rows).toEqual([
      expect.objectContaining({ ...key, itemNo: 2, status: 'Ready', output: null, steps: [] }),
    ]);
  });

  test('tell what open waits listen for', async () => {
    const token = Number((await tested.taskOf(id, 1)).claim_token);
    const task = { executionId: id, taskNo: 1, itemNo: 0 };
    const none = { result: null, error: null, childId: null, due: null };
    const record = (
      name: string,
      kind: 'event' | 'sleep',
      listensFor: { name: string; key: string } | null,
    ) => ({
      ...task,
      ...none,
      token,
      name,
      kind,
      status: 'Open' as const,
      listensFor,
    });
    await tested.store.recordSteps([
      record('paid', 'event', { name: 'paid', key: 'o-17' }),
      record('rest', 'sleep', null),
    ]);
    expect(await reads().listening([task])).toEqual([
      { ...task, name: 'paid', eventName: 'paid', eventKey: 'o-17' },
    ]);
    expect(await reads().listening([{ ...task, taskNo: 0 }])).toEqual([]);
  });

  test('read children by id', async () => {
    const [execution] = await tested.store.executions([id]);
    expect(await reads().children([id, uuid()])).toEqual([
      { id, workflow: execution?.workflow, status: execution?.status },
    ]);
  });

  test('name who paused an execution last', async () => {
    expect(await reads().pausedBy(id)).toBeUndefined();
    await tested.store.pause(id, 'audit', 'ada');
    expect(await reads().pausedBy(id)).toBe('ada');
    await tested.store.resume(id, 'bob');
    await tested.store.pause(id, 'audit', null);
    expect(await reads().pausedBy(id)).toBeUndefined();
  });
}
