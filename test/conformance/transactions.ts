import { beforeEach, expect, test } from '@jest/globals';
import { isCreated, type UserTransaction } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { noLease, outcomeOf, parallel, startOf, workflow, type TestWorkflow } from './workflows.js';

export function describeTransactions(tested: TestedStore): void {
  const worker = tested.worker();
  const { signal } = new AbortController();
  let chain: TestWorkflow;
  let id: string;
  beforeEach(async () => {
    chain = workflow([[], [0]], { definitionId: tested.newDefinition() });
    id = await worker.startOne(chain);
  });

  test('an outcome commits with its transaction', async () => {
    const { accepted, readied } = await tested.store.transaction(async (transaction) => {
      await transaction.assertOpen();
      expect(transaction.within(() => 'run')).toBe('run');
      return transaction.complete([outcomeOf(chain, id, 0)], noLease(worker.claimant));
    }, signal);
    expect(accepted).toEqual([true]);
    expect(readied).toEqual([expect.objectContaining({ taskNo: 1, claimed: true })]);
    expect(await tested.statusesOf(id)).toEqual(['Completed', 'Running']);
  });

  test('an outcome is rolled back with its transaction, and the claim is held', async () => {
    const before = await tested.rowsOf(id);
    const failed = tested.store.transaction(async (transaction) => {
      await transaction.complete([outcomeOf(chain, id, 0)], noLease(worker.claimant));
      throw new Error('late');
    }, signal);
    await expect(failed).rejects.toThrow('late');
    expect(await tested.rowsOf(id)).toEqual(before);
    expect((await worker.complete([outcomeOf(chain, id, 0)])).accepted).toEqual([true]);
  });

  test('of an outcome in a transaction and one beside it, one is recorded', async () => {
    const outcome = outcomeOf(chain, id, 0);
    const [inside, beside] = await Promise.all([
      tested.store.transaction((transaction) => {
        return transaction.complete([outcome], noLease(worker.claimant));
      }, signal),
      tested.store.complete([outcome], noLease(worker.claimant)),
    ]);
    expect([inside.accepted[0], beside.accepted[0]].filter(Boolean)).toHaveLength(1);
    expect(await tested.statusesOf(id)).toEqual(['Completed', 'Running']);
  });

  function startIn(manager: UserTransaction, key: string | null = null) {
    const item = startOf(parallel(1), { claims: 0, idempotencyKey: key });
    return tested.store
      .startIn(manager, [item], noLease(), 'work', 1_000)
      .then((reply) => ({ id: item.id, created: isCreated(reply, item.id) }));
  }

  test('what is started in a transaction is there with its commit, and not before', async () => {
    const started = await tested.store.transaction(async ({ manager }) => {
      const one = await startIn(manager);
      expect(await tested.store.executions([one.id])).toEqual([]);
      return one;
    }, signal);
    expect(started.created).toBe(true);
    expect(await tested.store.executions([started.id])).toMatchObject([{ status: 'Pending' }]);
  });

  test('what is started in a transaction that is rolled back never was', async () => {
    const key = `rolled back ${id}`;
    let started = '';
    const failed = tested.store.transaction(async ({ manager }) => {
      started = (await startIn(manager, key)).id;
      throw new Error('no');
    }, signal);
    await expect(failed).rejects.toThrow('no');
    expect(await tested.store.executions([started])).toEqual([]);
    const again = startOf(parallel(1), { idempotencyKey: key });
    expect(await worker.startKeyed([again])).toEqual([again.id]);
  });

  test('a key is taken for its transaction at once, and tells which execution has it', async () => {
    const key = `twice ${id}`;
    await tested.store.transaction(async ({ manager }) => {
      const first = await startIn(manager, key);
      expect(await startIn(manager, key)).toMatchObject({ created: false });
      const wanted = [{ workflow: 'test', key }];
      expect(await tested.store.findByKeys(wanted, manager)).toEqual([first.id]);
      expect(await tested.store.findByKeys(wanted)).toEqual([undefined]);
    }, signal);
  });

  test('a key that an open transaction has is a lock timeout for the others', async () => {
    const key = `open ${id}`;
    await tested.store.transaction(async ({ manager }) => {
      await startIn(manager, key);
      const item = startOf(parallel(1), { idempotencyKey: key });
      const error: unknown = await tested.store
        .start([item], noLease(), true, 50)
        .catch((reason: unknown) => reason);
      expect(tested.store.classifyFailure(error)).toMatchObject({
        kind: 'conflict',
        isLockTimeout: true,
      });
    }, signal);
  });
}
