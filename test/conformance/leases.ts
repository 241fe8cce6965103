import { describe, expect, test } from '@jest/globals';
import { LEASE_NOTICE, type Claimant, type LeaseWrite } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { newClaimant, noLease, outcomeOf, parallel, startOf, workflow } from './workflows.js';
import { tasksOf } from './tasks-of.js';

const chain = workflow([[], [0]]);

export function describeLeases(tested: TestedStore): void {
  const leaseOf = (claimant: Claimant) => tested.behind.leaseOf(claimant);

  /** Each statement that claims, once: a start, a claim, a completion. */
  const claiming: [string, (lease: LeaseWrite) => Promise<unknown>][] = [
    ['a start', (lease) => tested.store.start([startOf(chain)], lease, false)],
    ['a start with a key', (lease) => tested.store.start([startOf(chain)], lease, true)],
    [
      'a claim',
      async (lease) => {
        const definitionId = tested.newDefinition();
        const item = startOf(parallel(1, { definitionId }), { claims: 0 });
        await tested.store.start([item], { ...lease, write: false }, false);
        expect(await tested.store.claim([definitionId], [], 1, lease)).toHaveLength(1);
      },
    ],
    [
      'a completion',
      async (lease) => {
        const item = startOf(chain);
        await tested.store.start([item], noLease(), false);
        const { readied } = await tested.store.complete([outcomeOf(chain, item.id, 0)], lease);
        expect(readied).toEqual([expect.objectContaining({ claimed: true })]);
      },
    ],
    ['a lease by itself', (lease) => tested.store.writeLease(lease)],
  ];

  test.each(claiming)('%s writes the lease of the process that claims', async (_, send) => {
    const claimant = { ...newClaimant(), leaseDurationMs: 3_600_000 };
    await send({ claimant, write: true });
    const lease = await leaseOf(claimant);
    expect(lease).toMatchObject({
      name: claimant.name,
      lock_epoch: claimant.lockEpoch,
      lock_session: claimant.lockSession,
      process_id: claimant.processId,
    });
    const endsIn = Number(lease?.expires_at) - Date.now();
    expect(endsIn).toBeGreaterThan(1_800_000);
    expect(endsIn).toBeLessThan(7_200_000);
  });

  test.each(claiming)('%s announces the lease if it has to, with its commit', async (_, send) => {
    const claimant = newClaimant();
    const announced = { ...claimant, announcesLease: true };
    const heard = (lease: LeaseWrite) => tested.behind.heardDuring(() => send(lease));
    expect(await heard({ claimant, write: true })).toEqual([]);
    expect(await heard({ claimant: announced, write: true })).toEqual([LEASE_NOTICE]);
    // No lease is written, so there is none to announce.
    expect(await heard({ claimant: announced, write: false })).toEqual([]);
  });

  test.each(claiming)('%s leaves the lease alone when it is held already', async (_, send) => {
    const claimant = newClaimant();
    await send({ claimant, write: false });
    expect(await leaseOf(claimant)).toBeUndefined();
  });

  test('a lease that is there is renewed, and says what its process says now', async () => {
    const claimant = newClaimant();
    await claiming[0]![1]({ claimant: { ...claimant, leaseDurationMs: 1 }, write: true });
    const before = await leaseOf(claimant);
    await claiming[2]![1]({ claimant: { ...claimant, lockEpoch: 'next' }, write: true });
    const lease = await leaseOf(claimant);
    expect(lease?.lock_epoch).toBe('next');
    expect(Number(lease?.expires_at)).toBeGreaterThan(Number(before?.expires_at) + 20_000);
  });

  test('a claim that is rolled back leaves no lease, so none stands without the other', async () => {
    const claimant = newClaimant();
    const items = [startOf(chain), startOf(chain, { input: '{"a":"\\u0000"}' })];
    const sent = tested.store.start(items, { claimant, write: true }, false);
    await expect(sent).rejects.toThrow();
    expect(await leaseOf(claimant)).toBeUndefined();
    expect(await tested.store.claimsOf(claimant.instanceId)).toEqual([]);
  });

  describe('a lease', () => {
    const one = parallel(1);
    /** A process that holds one and a claim under it. */
    async function holder(): Promise<{ claimant: Claimant; id: string }> {
      const claimant = newClaimant();
      const item = startOf(one);
      await tested.store.start([item], { claimant, write: true }, false);
      return { claimant, id: item.id };
    }
    const end = (id: string, claimant: Claimant) =>
      tested.store.complete([outcomeOf(one, id, 0)], noLease(claimant));

    test('is released by its owner alone', async () => {
      const [mine, other] = [await holder(), await holder()];
      for (const { id, claimant } of [mine, other]) await end(id, claimant);
      expect(await tested.store.releaseLease(mine.claimant.instanceId)).toBe(true);
      expect(await leaseOf(mine.claimant)).toBeUndefined();
      expect(await leaseOf(other.claimant)).toBeDefined();
    });

    test('stays as long as a running task names its owner, whatever that one remembers', async () => {
      const { claimant, id } = await holder();
      expect(await tested.store.releaseLease(claimant.instanceId)).toBe(false);
      expect(await leaseOf(claimant)).toBeDefined();
      await end(id, claimant);
      expect(await tested.store.releaseLease(claimant.instanceId)).toBe(true);
      expect(await leaseOf(claimant)).toBeUndefined();
    });

    test('is told of by the tasks under it: what runs without one is orphaned', async () => {
      const { id, claimant } = await holder();
      expect(await tasksOf(tested.store, [id])).toMatchObject([
        { owner: claimant.instanceId, isOrphaned: false },
      ]);
      await tested.store.recovery.endLease(claimant.instanceId, 'former');
      expect(await tasksOf(tested.store, [id])).toMatchObject([{ isOrphaned: true }]);
    });
  });
}
