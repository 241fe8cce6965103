import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  byLockOrder,
  FIRST_TOKEN,
  type ClaimedTask,
  type ItemAppend,
  type ItemCancel,
  type ItemReset,
} from '../../lib/store/port/index.js';
import { mapLimitKey } from '../../lib/workflow/map-limit.js';
import type { TestedStore } from './tested-store.js';
import {
  itemOutcomeOf,
  noLease,
  outcomeOf,
  rescheduleOf,
  workflow,
  type OutcomeOptions,
  type TestWorkflow,
} from './workflows.js';

const TOP = 2 ** 31 - 1;

export function describeMaps(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let definitionId: string;
  // 0 is a map, 1 depends on it.
  beforeEach(async () => {
    definitionId = tested.newDefinition();
    of = workflow([[], [0]], { definitionId });
    id = await worker.startOne(of);
  });

  const append = (
    items: readonly string[],
    isLast: boolean,
    options: Partial<ItemAppend> = {},
  ): ReturnType<TestedStore['store']['items']['append']> =>
    tested.store.items.append({
      executionId: id,
      taskNo: 0,
      itemNo: 0,
      token: FIRST_TOKEN,
      stored: 0,
      items,
      isLast,
      limitKeys: null,
      ...options,
    });

  const state = () => tested.store.items.state({ executionId: id, taskNo: 0 });
  const claimAll = async (): Promise<ClaimedTask[]> =>
    (await worker.claim([definitionId], 100)).toSorted(byLockOrder);
  const failed: OutcomeOptions = { status: 'Failed', detail: { error: { message: 'no' } } };

  describe('storing items', () => {
    test('in one statement ends the claim of the map, which waits for them', async () => {
      const reply = await append(['1', '{"a":2}', '"three"'], true);
      expect(reply).toEqual({ hasUnmet: false, paused: false, isDue: false });
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Waiting',
        owner: null,
        run_at: null,
        claim_token: FIRST_TOKEN + 1,
        pending_dependencies: 3,
      });
      const claims = await claimAll();
      expect(claims.map(({ itemNo }) => itemNo)).toEqual([3, 2, 1]);
      const read = await tested.store.items.read(claims);
      expect(
        read
          .toSorted((a, b) => a.itemNo - b.itemNo)
          .map(({ item }) => JSON.parse(item!) as unknown),
      ).toEqual([1, { a: 2 }, 'three']);
    });

    test('in parts keeps the claim, and the map is not due before the last part', async () => {
      await append(['1', '2'], false);
      const outcomes = (await claimAll()).map((claim) => itemOutcomeOf(claim));
      expect((await worker.complete(outcomes)).readied).toEqual([]);
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Running',
        owner: worker.claimant.instanceId,
        pending_dependencies: 1,
      });
      expect(await state()).toMatchObject({ stored: 2, isExpanded: false, lastItem: '2' });
      expect(await append([], true, { stored: 2 })).toMatchObject({ isDue: true });
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Ready', owner: null });
      expect(await state()).toMatchObject({
        stored: 2,
        isExpanded: true,
        lastItem: null,
        counts: { completed: 2, failed: 0, cancelled: 0 },
        firstFailure: null,
      });
      const [map] = await claimAll();
      expect(map).toMatchObject({ taskNo: 0, itemNo: 0 });
    });

    test('needs the claim', async () => {
      expect(await append(['1'], true, { token: FIRST_TOKEN + 2 })).toBeUndefined();
      expect((await tested.rowsOf(id)).tasks).toHaveLength(2);
      expect(await state()).toMatchObject({ stored: 0, isExpanded: false });
    });

    test('again stores nothing', async () => {
      await append(['1', '2'], false);
      expect(await append(['1', '2'], false)).toBeUndefined();
      await append(['3'], true, { stored: 2 });
      expect(await append(['3'], true, { stored: 2 })).toBeUndefined();
      expect((await tested.rowsOf(id)).tasks).toHaveLength(5);
      expect(await tested.taskOf(id, 0)).toMatchObject({ pending_dependencies: 3 });
    });

    test('goes on after the attempt of the map has failed', async () => {
      await append(['1', '2'], false);
      await tested.store.reschedule([rescheduleOf('retry', id, 0, { token: FIRST_TOKEN })]);
      const claims = await claimAll();
      const map = claims.find(({ itemNo }) => itemNo === 0)!;
      await worker.complete(
        claims.filter(({ itemNo }) => itemNo > 0).map((claim) => itemOutcomeOf(claim)),
      );
      await append(['3'], true, { token: map.token, stored: 2 });
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Waiting',
        pending_dependencies: 1,
      });
    });

    test('pauses the items of a paused execution', async () => {
      await tested.store.pause(id, null);
      expect(await append(['1'], true)).toMatchObject({ paused: true });
      expect(await claimAll()).toEqual([]);
      await tested.store.resume(id);
      expect(await claimAll()).toHaveLength(1);
    });

    test('tells that items have failed', async () => {
      await append(['1', '2'], false);
      const [claim] = await claimAll();
      await worker.complete([itemOutcomeOf(claim!, failed)]);
      expect(await append(['3'], false, { stored: 2 })).toMatchObject({ hasUnmet: true });
      const [row] = await tested.store.items.read([{ ...claim!, itemNo: 0 }]);
      expect(row).toMatchObject({ item: null, hasUnmet: true });
    });
  });

  test('the failure of an item is not one of the execution', async () => {
    await append(['1'], true);
    const [claim] = await claimAll();
    await worker.complete([itemOutcomeOf(claim!, { ...failed, claim: true })]);
    expect(await state()).toMatchObject({
      counts: { completed: 0, failed: 1, cancelled: 0 },
      firstFailure: { itemNo: 1 },
    });
    expect((await tested.rowsOf(id)).execution).toMatchObject({
      status: 'Running',
      unhandled_failures: 0,
    });
    await worker.complete([outcomeOf(of, id, 0)]);
    const { ended } = await worker.complete([outcomeOf(of, id, 1)]);
    expect(ended).toMatchObject([{ status: 'Completed' }]);
  });

  test('results are read in order, by pages and by status', async () => {
    await append(['1', '2', '3', '4', '5'], true);
    const claims = await claimAll();
    await worker.complete(
      claims
        .filter(({ itemNo }) => itemNo !== 5)
        .map((claim) =>
          itemOutcomeOf(claim, claim.itemNo % 2 === 1 ? failed : { output: `"${claim.itemNo}"` }),
        ),
    );
    const read = (after: number, limit: number, status?: string) =>
      tested.store.items.results({ executionId: id, taskNo: 0 }, { after, limit, status });
    const first = await read(0, 3);
    expect(first.map(({ itemNo, status, item }) => [itemNo, status, item])).toEqual([
      [1, 'Failed', '1'],
      [2, 'Completed', '2'],
      [3, 'Failed', '3'],
    ]);
    expect(first[0]).toMatchObject({ output: null, attempt: 1 });
    expect(JSON.parse(first[0]!.error!)).toEqual({ message: 'no' });
    // A value may be any JSON, also a string.
    expect(first[1]).toMatchObject({ output: '"2"', error: null, attempt: 0 });
    expect((await read(3, 3)).map(({ status }) => status)).toEqual(['Completed', 'Running']);
    expect(await read(5, 3)).toEqual([]);
    expect((await read(0, 10, 'Completed')).map(({ itemNo }) => itemNo)).toEqual([2, 4]);
  });

  describe('cancelling items', () => {
    const cancel = (options: Partial<ItemCancel> = {}) =>
      tested.store.items.cancel({
        executionId: id,
        taskNo: 0,
        token: null,
        generation: 0,
        below: TOP,
        ...options,
      });

    test('after a failure ends those that are open, and makes their map due', async () => {
      await append(['1', '2', '3'], true);
      const claims = await claimAll();
      expect(await cancel()).toMatchObject({ applied: false, cancelled: 0 });
      await worker.complete([itemOutcomeOf(claims[0]!, failed)]);
      expect(await cancel({ below: 2 })).toEqual({
        applied: true,
        cancelled: 1,
        last: 1,
        hasMore: false,
        wasRunning: true,
        isDue: false,
      });
      expect(await cancel()).toMatchObject({ applied: true, cancelled: 1, last: 2, isDue: true });
      expect(await cancel()).toMatchObject({ applied: true, cancelled: 0, last: 0 });
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Ready',
        pending_dependencies: 0,
        unmet_dependencies: 3,
      });
      const late = await worker.complete([itemOutcomeOf(claims[1]!)]);
      expect(late.accepted).toEqual([false]);
      expect(await state()).toMatchObject({ counts: { completed: 0, failed: 1, cancelled: 2 } });
    });

    test('of a map that is held needs its claim', async () => {
      await append(['1', '2'], false);
      expect(await cancel({ token: FIRST_TOKEN + 2 })).toMatchObject({ applied: false });
      expect(await cancel({ token: FIRST_TOKEN })).toMatchObject({
        applied: true,
        cancelled: 2,
        wasRunning: false,
        isDue: false,
      });
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Running',
        pending_dependencies: 1,
      });
      expect(await claimAll()).toEqual([]);
    });

    test('of another generation does nothing', async () => {
      await append(['1', '2'], true);
      const [first] = await claimAll();
      await worker.complete([itemOutcomeOf(first!, failed)]);
      expect(await cancel({ generation: 1 })).toMatchObject({ applied: false, cancelled: 0 });
    });
  });

  describe('a manual retry', () => {
    /** Ends the map as Failed: item 1 Completed, 2 Failed, 3 Cancelled. */
    async function fail(): Promise<void> {
      await append(['1', '2', '3'], true);
      const claims = await claimAll();
      const [, two, one] = claims;
      await worker.complete([itemOutcomeOf(one!), itemOutcomeOf(two!, failed)]);
      const cancel = { executionId: id, taskNo: 0, token: null, generation: 0, below: TOP };
      await tested.store.items.cancel(cancel);
      const [map] = await claimAll();
      await worker.complete([outcomeOf(of, id, 0, { ...failed, token: map!.token })]);
      await worker.complete([
        outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
      ]);
      expect((await tested.rowsOf(id)).execution).toMatchObject({ status: 'Failed' });
    }

    const reset = (items: ItemReset) =>
      tested.store.reset(id, async () => ({
        tasks: [
          { taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true, items },
          { taskNo: 1, pendingDependencies: 1, unmetDependencies: 0, keepsSteps: false },
        ],
        leaves: 1,
      }));

    test('runs the items again that did not complete', async () => {
      await fail();
      await reset('unfinished');
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Waiting',
        run_at: null,
        pending_dependencies: 2,
        unmet_dependencies: 0,
        generation: 1,
      });
      const claims = await claimAll();
      expect(claims.map(({ itemNo, generation }) => [itemNo, generation])).toEqual([
        [3, 1],
        [2, 1],
      ]);
      const { readied } = await worker.complete(claims.map((claim) => itemOutcomeOf(claim)));
      expect(readied).toHaveLength(1);
      expect(await state()).toMatchObject({ counts: { completed: 3, failed: 0, cancelled: 0 } });
    });

    test('runs all items again', async () => {
      await fail();
      await reset('all');
      expect(await claimAll()).toHaveLength(3);
      expect(await tested.taskOf(id, 0)).toMatchObject({ pending_dependencies: 3 });
    });

    test('discards the items if the map is to make them anew', async () => {
      await fail();
      await reset('discard');
      expect((await tested.rowsOf(id)).tasks).toHaveLength(2);
      expect(await state()).toMatchObject({ stored: 0, isExpanded: false });
      const [map] = await claimAll();
      expect(map).toMatchObject({ taskNo: 0, itemNo: 0 });
      await append(['7'], true, { token: map!.token });
      expect(await claimAll()).toMatchObject([{ itemNo: 1 }]);
    });

    test('joins the map again if all its items completed', async () => {
      await append(['1'], true);
      const [claim] = await claimAll();
      await worker.complete([itemOutcomeOf(claim!)]);
      await worker.complete([outcomeOf(of, id, 0, failed)]);
      await worker.complete([
        outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
      ]);
      await reset('unfinished');
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Ready',
        pending_dependencies: 0,
      });
    });

    test('lets a map that had stored a part of its items go on', async () => {
      await append(['1', '2'], false);
      const [two, one] = await claimAll();
      await worker.complete([itemOutcomeOf(one!), itemOutcomeOf(two!, failed)]);
      await worker.complete([outcomeOf(of, id, 0, { ...failed, token: FIRST_TOKEN })]);
      await worker.complete([
        outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
      ]);
      await reset('unfinished');
      expect(await state()).toMatchObject({ stored: 2, isExpanded: false });
      const claims = await claimAll();
      expect(claims.map(({ itemNo }) => itemNo)).toEqual([2, 0]);
      const map = claims.find(({ itemNo }) => itemNo === 0)!;
      await worker.complete([itemOutcomeOf(claims[0]!)]);
      const reply = await append(['3'], true, { token: map.token, stored: 2 });
      expect(reply).toMatchObject({ hasUnmet: false, isDue: false });
    });
  });

  describe('the limit of a map', () => {
    const key = (): string => mapLimitKey({ definitionId, executionId: id, taskNo: 0 });
    const claimLimited = async (limit = 100): Promise<readonly ClaimedTask[]> => {
      const requests = [{ limitKey: key(), numbers: { concurrency: 2 } }];
      const choice = { definitions: [definitionId], unknown: [] };
      const { limits } = tested.store;
      return (await limits.claim(requests, limit, choice, noLease(worker.claimant))).claims;
    };

    beforeEach(async () => {
      await append(['1', '2', '3', '4'], true, { limitKeys: key() });
    });

    test('keeps its items from the usual claim, and gives out its slots', async () => {
      expect(await claimAll()).toEqual([]);
      expect(await claimLimited()).toHaveLength(2);
      expect(await claimLimited()).toEqual([]);
      expect(await claimLimited()).toEqual([]);
    });

    test('gives a slot out again after every way out of a claim', async () => {
      const [first, second] = await claimLimited();
      await worker.complete([itemOutcomeOf(first!)]);
      const [third] = await claimLimited();
      expect(third).toBeDefined();
      expect(await claimLimited()).toEqual([]);
      const { token, itemNo } = second!;
      await tested.store.reschedule([
        rescheduleOf('retry', id, 0, { token, itemNo, delayMs: 3_600_000 }),
      ]);
      expect(await claimLimited()).toHaveLength(1);
      expect(await claimLimited()).toEqual([]);
    });

    test('claims no more than there is room for', async () => {
      expect(await claimLimited(1)).toHaveLength(1);
    });

    test('is forgotten with a map that is Completed, and no other', async () => {
      const { limits } = tested.store;
      const map = { executionId: id, taskNo: 0 };
      const first = await claimLimited();
      await limits.closeMap(map, key());
      expect(await limits.keysOf([key()])).toHaveLength(1);
      await worker.complete(first.map((claim) => itemOutcomeOf(claim, { claim: false })));
      const second = await claimLimited();
      await worker.complete(second.map((claim) => itemOutcomeOf(claim, { claim: false })));
      await worker.complete([outcomeOf(of, id, 0, { token: (await claimAll())[0]!.token })]);
      await limits.closeMap(map, key());
      expect(await limits.keysOf([key()])).toEqual([]);
    });

    test('is not listed among the limits of the application', async () => {
      await claimLimited();
      expect(await tested.store.limits.keysOf([key()])).toHaveLength(1);
      const listed = await tested.store.limits.keys({ name: null, after: null, count: 1_000 });
      expect(listed.filter(({ limitKey }) => limitKey === key())).toEqual([]);
    });
  });
}
