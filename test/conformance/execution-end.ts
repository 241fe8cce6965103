import { describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { FIRST_TOKEN } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, outcomeOf, parallel, startOf, workflow } from './workflows.js';

const leaves = parallel(2);
// 0 may fail; 1 and 2 handle that; 3 has nothing to do with it.
const handling = workflow([[], [0], [0], []]);
const STALE = FIRST_TOKEN + 4;

export function describeExecutionEnd(tested: TestedStore): void {
  const worker = tested.worker();

  async function executionOf(id: string) {
    return (await tested.rowsOf(id)).execution;
  }

  test.each([
    ['first', 0],
    ['last', 1],
  ])('the leaf that ends %s has failed: so has the execution', async (_, failed) => {
    const id = await worker.startOne(leaves);
    const outcome = (taskNo: number) =>
      (taskNo === failed ? failureOf : outcomeOf)(leaves, id, taskNo);
    expect((await worker.complete([outcome(0)])).ended).toEqual([]);
    expect((await worker.complete([outcome(1)])).ended).toEqual([
      { outcome: 0, status: 'Failed', hasWaiters: false, contextMissing: true, unsettled: 0 },
    ]);
    const { execution, events } = await tested.rowsOf(id);
    expect(execution).toMatchObject({
      status: 'Failed',
      remaining_leaves: 0,
      unhandled_failures: 1,
      completed_at: expect.any(Date),
    });
    expect(events).toEqual([expect.objectContaining({ kind: 'failed', task_no: null })]);
  });

  test('both leaves in one batch, one of them failed', async () => {
    const id = await worker.startOne(leaves);
    const { ended } = await worker.complete([failureOf(leaves, id, 0), outcomeOf(leaves, id, 1)]);
    expect(ended).toEqual([expect.objectContaining({ status: 'Failed' })]);
    expect(await executionOf(id)).toMatchObject({
      status: 'Failed',
      remaining_leaves: 0,
      unhandled_failures: 1,
    });
  });

  test('an execution that completes leaves no event', async () => {
    const id = await worker.startOne(leaves);
    await worker.complete([outcomeOf(leaves, id, 0), outcomeOf(leaves, id, 1)]);
    const { execution, events } = await tested.rowsOf(id);
    expect(execution).toMatchObject({ status: 'Completed', completed_at: expect.any(Date) });
    expect(events).toEqual([]);
  });

  test('a failure in the middle and the last leaf in one batch', async () => {
    const of = workflow([[], [0], []]);
    const id = await worker.startOne(of);
    await worker.complete([outcomeOf(of, id, 2)]);
    const { readied } = await worker.complete([failureOf(of, id, 0)]);
    expect(readied).toEqual([expect.objectContaining({ taskNo: 1, unmetDependencies: 1 })]);

    const { ended } = await worker.complete([
      outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
    ]);

    expect(ended).toEqual([expect.objectContaining({ status: 'Failed' })]);
    expect(await tested.taskOf(id, 1)).toMatchObject({
      status: 'Skipped',
      skip_reason: 'upstreamFailure',
    });
  });

  describe('the times that callers wait for', () => {
    /** The times of the rows, as a later read has them. */
    async function read(id: string) {
      const [execution] = await tested.store.details([id]);
      return execution!;
    }

    test('are those of the rows, of every outcome and of the execution', async () => {
      const one = await worker.startOne(leaves);
      const other = await worker.startOne(leaves);
      const { ended, times } = await worker.complete(
        [
          outcomeOf(leaves, one, 0),
          outcomeOf(leaves, other, 0),
          failureOf(leaves, other, 1),
          outcomeOf(leaves, one, 1),
        ],
        true,
      );
      const [first, second] = [await read(one), await read(other)];
      const rows = [first.tasks[0]!, second.tasks[0]!, second.tasks[1]!, first.tasks[1]!];
      expect(times).toEqual(
        rows.map(({ startedAt, completedAt }) => ({
          startedAt: startedAt!.getTime(),
          completedAt: completedAt!.getTime(),
        })),
      );
      const rowOf = ({ createdAt, startedAt, completedAt }: typeof first) => ({
        createdAt: createdAt.getTime(),
        startedAt: startedAt!.getTime(),
        completedAt: completedAt!.getTime(),
        hasReason: false,
      });
      expect(new Map(ended.map(({ status, row }) => [status, row]))).toEqual(
        new Map([
          ['Completed', rowOf(first)],
          ['Failed', rowOf(second)],
        ]),
      );
    });

    test('are missing of an outcome that was not written', async () => {
      const id = await worker.startOne(leaves);
      const { times } = await worker.complete(
        [outcomeOf(leaves, id, 0, { token: STALE }), outcomeOf(leaves, id, 1)],
        true,
      );
      expect(times).toEqual([
        undefined,
        { startedAt: expect.any(Number), completedAt: expect.any(Number) },
      ]);
    });

    test('tell of an execution that ends while it is paused', async () => {
      const id = await worker.startOne(leaves);
      await tested.store.pause(id, 'lunch');
      const { ended } = await worker.complete(
        [outcomeOf(leaves, id, 0), outcomeOf(leaves, id, 1)],
        true,
      );
      expect(ended).toEqual([
        expect.objectContaining({ row: expect.objectContaining({ hasReason: true }) }),
      ]);
      expect(await read(id)).toMatchObject({ status: 'Completed', reason: 'lunch' });
    });
  });

  describe('handled failures', () => {
    /** 0 has failed, and its handlers are claimed. */
    async function withFailure(): Promise<string> {
      const id = await worker.startOne(handling);
      await worker.complete([failureOf(handling, id, 0)]);
      return id;
    }

    test('a failure whose handler completed does not fail the execution', async () => {
      const id = await withFailure();
      expect(await executionOf(id)).toMatchObject({ unhandled_failures: 1 });

      const { ended } = await worker.complete([
        outcomeOf(handling, id, 1, { handles: [0] }),
        outcomeOf(handling, id, 2),
        outcomeOf(handling, id, 3),
      ]);

      expect(ended).toEqual([expect.objectContaining({ status: 'Completed' })]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Failed', failure_handled: true });
      expect(await executionOf(id)).toMatchObject({ unhandled_failures: 0 });
    });

    test.each([
      ['in one batch', true],
      ['one after the other', false],
    ])('two handlers %s count once, so another failure still counts', async (_, together) => {
      const id = await withFailure();
      const handlers = [1, 2].map((taskNo) => outcomeOf(handling, id, taskNo, { handles: [0] }));
      if (together) await worker.complete(handlers);
      else for (const outcome of handlers) await worker.complete([outcome]);
      expect(await executionOf(id)).toMatchObject({ unhandled_failures: 0 });

      const { ended } = await worker.complete([failureOf(handling, id, 3)]);
      expect(ended).toEqual([expect.objectContaining({ status: 'Failed' })]);
    });

    test('a handler that lost its claim handles nothing', async () => {
      const id = await withFailure();
      const before = await tested.rowsOf(id);
      const stale = outcomeOf(handling, id, 1, { handles: [0], token: STALE });
      expect((await worker.complete([stale])).accepted).toEqual([false]);
      expect(await tested.rowsOf(id)).toEqual(before);
    });

    test('beside one that lost its claim, the other handles', async () => {
      const id = await withFailure();
      const { accepted } = await worker.complete([
        outcomeOf(handling, id, 1, { handles: [0], token: STALE }),
        outcomeOf(handling, id, 2, { handles: [0] }),
      ]);
      expect(accepted).toEqual([false, true]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ failure_handled: true });
      expect(await executionOf(id)).toMatchObject({ unhandled_failures: 0 });
    });

    test('a handler that fails handles nothing', async () => {
      const id = await withFailure();
      await worker.complete([failureOf(handling, id, 1, { handles: [0] })]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ failure_handled: false });
      expect(await executionOf(id)).toMatchObject({ unhandled_failures: 2 });
    });
  });

  describe('the final context', () => {
    const one = parallel(1);

    test('is written with the end by the process that knows all of it', async () => {
      const id = await worker.startOne(one);
      const { ended } = await worker.complete([outcomeOf(one, id, 0, { finalContext: '{"a":1}' })]);
      expect(ended).toEqual([expect.objectContaining({ contextMissing: false })]);
      expect((await executionOf(id))?.context).toEqual({ a: 1 });
    });

    test('is not written by a leaf that is not the last', async () => {
      const id = await worker.startOne(leaves);
      await worker.complete([outcomeOf(leaves, id, 0, { finalContext: '{"a":1}' })]);
      expect((await executionOf(id))?.context).toBeNull();
    });

    test('is written once when it was missing, and only for the run it belongs to', async () => {
      const { store } = tested;
      const id = await worker.startOne(one);
      await store.writeFinalContext(id, '{"early":1}', 0);
      expect((await executionOf(id))?.context).toBeNull();

      await worker.complete([outcomeOf(one, id, 0)]);
      await store.writeFinalContext(id, '{"other":"run"}', 1);
      expect((await executionOf(id))?.context).toBeNull();

      await store.writeFinalContext(id, '{"a":1}', 0);
      await store.writeFinalContext(id, '{"again":1}', 0);
      expect((await executionOf(id))?.context).toEqual({ a: 1 });
    });
  });

  describe('waiting for the end', () => {
    const one = parallel(1);

    test('a process that asks before the end is known to the one that ends it', async () => {
      const id = await worker.startOne(one);
      expect(await tested.store.await(id)).toBe('Running');
      const { ended } = await worker.complete([outcomeOf(one, id, 0)]);
      expect(ended).toEqual([expect.objectContaining({ hasWaiters: true })]);
      expect(await tested.store.await(id)).toBe('Completed');
    });

    test('a start notes that its process waits', async () => {
      const ids = [
        await worker.startOne(one, { hasWaiters: true }),
        await worker.startOne(one, { hasWaiters: true, tags: '{"a":"b"}' }),
        await worker.startOne(one),
      ];
      const [keyed] = await worker.startKeyed([
        startOf(one, { hasWaiters: true, idempotencyKey: uuidv7() }),
      ]);
      const { ended } = await worker.complete([...ids, keyed!].map((id) => outcomeOf(one, id, 0)));
      expect(ended.toSorted((a, b) => a.outcome - b.outcome)).toMatchObject([
        { hasWaiters: true },
        { hasWaiters: true },
        { hasWaiters: false },
        { hasWaiters: true },
      ]);
    });

    test('many are asked about at once', async () => {
      const ids = await worker.startMany(one, 3);
      await worker.complete([outcomeOf(one, ids[0]!, 0)]);
      expect(await tested.store.awaitUnlocked(ids)).toEqual(
        new Map([
          [ids[0], 'Completed'],
          [ids[1], 'Running'],
          [ids[2], 'Running'],
        ]),
      );
      const { ended } = await worker.complete([outcomeOf(one, ids[1]!, 0)]);
      expect(ended).toEqual([expect.objectContaining({ hasWaiters: true })]);
    });

    test('of one that is not there, a process learns that', async () => {
      expect(await tested.store.await('00000000-0000-7000-8000-000000000000')).toBeUndefined();
    });
  });
}
