import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ClaimedTask, byLockOrder, FIRST_TOKEN } from '../../lib/store/port/index.js';
import { tasksOf } from './tasks-of.js';
import type { TestedStore } from './tested-store.js';
import {
  itemOutcomeOf,
  noLease,
  outcomeOf,
  rescheduleOf,
  workflow,
  type TestWorkflow,
} from './workflows.js';

const ITEMS = 3;

export function describeItems(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let definitionId: string;
  // 0 has items, 1 depends on it, 2 is by itself.
  beforeEach(async () => {
    definitionId = tested.newDefinition();
    of = workflow([[], [0], []], { definitionId });
    id = await worker.startOne(of);
    await tested.behind.addItems(id, 0, ITEMS);
  });

  const claimAll = async (): Promise<ClaimedTask[]> =>
    (await worker.claim([definitionId], 10)).toSorted(byLockOrder);

  test('are claimed like tasks, and their task is not while they run', async () => {
    const claims = await claimAll();
    expect(claims.map(({ taskNo, itemNo }) => [taskNo, itemNo])).toEqual([
      [0, 3],
      [0, 2],
      [0, 1],
    ]);
    expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Waiting', run_at: null });
    expect(await tested.taskOf(id, 0, 2)).toMatchObject({
      status: 'Running',
      owner: worker.claimant.instanceId,
    });
  });

  test('a claim leaves out an item, and no other item of the task', async () => {
    const except = [{ executionId: id, taskNo: 0, itemNo: 2 }];
    const claims = await worker.claim([definitionId], 10, { except });
    expect(claims.map(({ itemNo }) => itemNo).toSorted()).toEqual([1, 3]);
  });

  test.each([
    ['in one batch', true],
    ['one after the other', false],
  ])('outcomes %s count their task down, which is claimed with the last', async (_, together) => {
    const started = (await tested.taskOf(id, 0)).started_at;
    const outcomes = (await claimAll()).map((claim) => itemOutcomeOf(claim));
    const readied = together
      ? (await worker.complete(outcomes)).readied
      : (await Promise.all(outcomes.map((outcome) => worker.complete([outcome])))).flatMap(
          (result) => result.readied,
        );
    expect(readied).toEqual([expect.objectContaining({ taskNo: 0, claimed: true })]);
    expect(started).not.toBeNull();
    expect(await tested.taskOf(id, 0)).toMatchObject({
      status: 'Running',
      pending_dependencies: 0,
      unmet_dependencies: 0,
    });
    const { readied: next } = await worker.complete([outcomeOf(of, id, 0)]);
    expect(next).toEqual([expect.objectContaining({ taskNo: 1 })]);
  });

  test('are among the claims of their process, each of them', async () => {
    const claims = await claimAll();
    const listed = await tested.store.claimsOf(worker.claimant.instanceId);
    const own = listed.filter((claim) => claim.executionId === id && claim.taskNo === 0);
    expect(own.toSorted(byLockOrder).map(({ itemNo, token }) => [itemNo, token])).toEqual(
      claims.map(({ itemNo, token }) => [itemNo, token]),
    );
  });

  test('while items are left, their task keeps its times', async () => {
    const before = await tested.taskOf(id, 0);
    const [first] = await claimAll();
    await worker.complete([itemOutcomeOf(first!, { status: 'Failed', detail: { error: {} } })]);
    expect(await tested.taskOf(id, 0)).toEqual({
      ...before,
      pending_dependencies: ITEMS - 1,
      unmet_dependencies: 1,
    });
  });

  test('each has a fence, attempts and events of its own', async () => {
    const [first, second] = await claimAll();
    const stale = itemOutcomeOf({ ...first!, token: FIRST_TOKEN + 4 });
    expect((await worker.complete([stale])).accepted).toEqual([false]);
    const retry = { itemNo: first!.itemNo, token: first!.token, error: { message: 'no' } };
    await tested.store.reschedule([rescheduleOf('retry', id, 0, retry)]);
    expect(await tested.taskOf(id, 0, first!.itemNo)).toMatchObject({
      status: 'Ready',
      attempt: 1,
    });
    expect(await tested.taskOf(id, 0, second!.itemNo)).toMatchObject({ attempt: 0 });
    expect((await tested.rowsOf(id)).events).toEqual([
      expect.objectContaining({ kind: 'retried', task_no: 0, item_no: first!.itemNo }),
    ]);
  });

  test('are cancelled with their execution, and their late outcomes are refused', async () => {
    const [first] = await claimAll();
    expect((await tested.store.cancel(id, null)).changed).toBe(true);
    const { tasks } = await tested.rowsOf(id);
    expect(new Set(tasks.map(({ status }) => status))).toEqual(new Set(['Cancelled']));
    expect((await worker.complete([itemOutcomeOf(first!)])).accepted).toEqual([false]);
  });

  test('are not claimed while their execution is paused', async () => {
    await tested.store.pause(id, null);
    expect(await claimAll()).toEqual([]);
    await tested.store.resume(id);
    expect(await claimAll()).toHaveLength(ITEMS);
  });

  test('end with the timeout of their workflow', async () => {
    await tested.behind.setDeadline(id, -1);
    const late = (await tested.store.pastDeadlines()).filter((past) => past.id === id);
    expect(await tested.store.timeOut(late, () => ({}))).toHaveLength(1);
    expect(await tested.taskOf(id, 0, 1)).toMatchObject({ status: 'Cancelled' });
  });

  describe('of a lost process', () => {
    test('are recovered one by one', async () => {
      const lost = tested.worker();
      const [claim] = await lost.claim([definitionId], 1);
      const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 };
      const instance = lost.claimant.instanceId;
      const taken = await tested.store.recovery.takeOrphans(
        instance,
        how,
        noLease(worker.claimant),
      );
      expect(taken).toEqual([
        expect.objectContaining({ taskNo: 0, itemNo: claim!.itemNo, recoveryAttempts: 1 }),
      ]);
      expect(await tested.store.recovery.ownersOf(claim!)).toEqual([instance]);
      expect(await tested.store.recovery.ownersOf({ ...claim!, itemNo: 0 })).toEqual([]);
    });
  });

  test('are not among the tasks that are read of an execution', async () => {
    expect(await tasksOf(tested.store, [id])).toHaveLength(3);
    expect((await tested.store.history(id))?.tasks).toHaveLength(3);
  });
}
