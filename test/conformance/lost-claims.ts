import { describe, expect, test } from '@jest/globals';
import { byLockOrder, type ClaimedTask, type LeaseWrite } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { newClaimant, noLease, outcomeOf, parallel, startOf, workflow } from './workflows.js';

const HOW = { limit: 10, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 };
const chain = workflow([[], [0]]);

/** Claims are found by their process, whatever statement made them: when it is lost, compares them, or ends its lease. */
export function describeLostClaims(tested: TestedStore): void {
  const keys = (claims: readonly ClaimedTask[]) =>
    [...claims]
      .sort(byLockOrder)
      .map(({ executionId, taskNo, itemNo }) => ({ executionId, taskNo, itemNo }));

  /** Each statement that claims. It returns the executions and tasks that are claims of the process then. */
  const claiming: [string, (lease: LeaseWrite) => Promise<{ id: string; tasks: number[] }>][] = [
    [
      'a start',
      async (lease) => {
        const item = startOf(parallel(2));
        await tested.store.start([item], lease, false);
        return { id: item.id, tasks: [0, 1] };
      },
    ],
    [
      'a start of which some roots are claimed',
      async (lease) => {
        const item = startOf(parallel(3), { claims: 1 });
        await tested.store.start([item], lease, false);
        return { id: item.id, tasks: [0] };
      },
    ],
    [
      'a start with a key',
      async (lease) => {
        const item = startOf(chain);
        await tested.store.start([item, item], lease, true).catch(() => undefined);
        await tested.store.start([item], lease, true);
        return { id: item.id, tasks: [0] };
      },
    ],
    [
      'a claim',
      async (lease) => {
        const definitionId = tested.newDefinition();
        const item = startOf(parallel(2, { definitionId }), { claims: 0 });
        await tested.store.start([item], noLease(), false);
        expect(await tested.store.claim([definitionId], [], 2, lease)).toHaveLength(2);
        return { id: item.id, tasks: [0, 1] };
      },
    ],
    [
      'a claim of a task that the process had given back',
      async (lease) => {
        const definitionId = tested.newDefinition();
        const item = startOf(parallel(1, { definitionId }));
        await tested.store.start([item], lease, false);
        const [first] = await tested.store.claimsOf(lease.claimant.instanceId);
        const back = { kind: 'giveBack', delayMs: 0, error: null } as const;
        expect(await tested.store.reschedule([{ ...first!, ...back }])).not.toContain('refused');
        expect(await tested.store.claim([definitionId], [], 1, lease)).toHaveLength(1);
        return { id: item.id, tasks: [0] };
      },
    ],
    [
      'a completion',
      async (lease) => {
        const item = startOf(chain);
        await tested.store.start([item], lease, false);
        await tested.store.complete([outcomeOf(chain, item.id, 0)], lease);
        return { id: item.id, tasks: [1] };
      },
    ],
    [
      'a recovery, of a task that was lost too often',
      async (lease) => {
        const item = startOf(chain);
        const dead = newClaimant();
        await tested.store.start([item], noLease(dead), false);
        const how = { ...HOW, maxRecoveryAttempts: 0 };
        await tested.store.recovery.takeOrphans(dead.instanceId, how, lease);
        return { id: item.id, tasks: [0] };
      },
    ],
  ];

  describe.each(claiming)('claims of %s', (_, send) => {
    test('are found by their process', async () => {
      const claimant = newClaimant();
      const { id, tasks } = await send(noLease(claimant));
      const expected = tasks.map((taskNo) => ({ executionId: id, taskNo, itemNo: 0 }));
      expect(keys(await tested.store.claimsOf(claimant.instanceId))).toEqual(expected);
      await tested.store.forgetEnded(claimant.instanceId);
      expect(keys(await tested.store.claimsOf(claimant.instanceId))).toEqual(expected);
      expect(await tested.store.releaseLease(claimant.instanceId)).toBe(false);
    });

    test('are taken when it is lost, and taken once', async () => {
      const [claimant, other] = [newClaimant(), newClaimant()];
      const { id, tasks } = await send(noLease(claimant));
      const take = () =>
        tested.store.recovery.takeOrphans(claimant.instanceId, HOW, noLease(other));
      expect(keys(await take())).toEqual(
        tasks.map((taskNo) => ({ executionId: id, taskNo, itemNo: 0 })),
      );
      expect(await take()).toEqual([]);
      expect(await tested.store.claimsOf(claimant.instanceId)).toEqual([]);
      expect(await tested.store.releaseLease(claimant.instanceId)).toBe(true);
    });

    test('are found by a search when nothing else finds them, and taken like others', async () => {
      const claimant = newClaimant();
      const { id, tasks } = await send(noLease(claimant));
      await tested.behind.forgetClaims(claimant);
      await search();
      const expected = tasks.map((taskNo) => ({ executionId: id, taskNo, itemNo: 0 }));
      expect(keys(await tested.store.claimsOf(claimant.instanceId))).toEqual(expected);
      expect(await unleased()).toContain(claimant.instanceId);
      const { recovery } = tested.store;
      const taken = await recovery.takeOrphans(claimant.instanceId, HOW, noLease());
      expect(keys(taken)).toEqual(expected);
      expect(await unleased()).not.toContain(claimant.instanceId);
    });
  });

  /** Searches all pages. Returns the number of claims that only the search has found. */
  async function search(): Promise<number> {
    let { relisted, last } = await tested.store.recovery.relistClaims();
    while (last !== undefined) {
      const page = await tested.store.recovery.relistClaims(last);
      relisted += page.relisted;
      ({ last } = page);
    }
    return relisted;
  }

  async function unleased(): Promise<readonly string[]> {
    const { store, session } = tested.behind;
    return (await session.sweep([store.handle])).tenants[0]?.unleased ?? [];
  }

  describe('the search for claims', () => {
    test('finds nothing where all claims are found, and finds a claim once', async () => {
      const claimant = newClaimant();
      await tested.store.start([startOf(parallel(2))], noLease(claimant), false);
      await search();
      expect(await search()).toBe(0);
      await tested.behind.forgetClaims(claimant);
      await search();
      expect(await search()).toBe(0);
    });

    test('finds those of a process that has a lease, which keeps it and them', async () => {
      const claimant = newClaimant();
      const item = startOf(chain);
      await tested.store.start([item], { claimant, write: true }, false);
      await tested.behind.forgetClaims(claimant);
      await search();
      expect(await tested.store.releaseLease(claimant.instanceId)).toBe(false);
      expect(await unleased()).not.toContain(claimant.instanceId);
      const { recovery } = tested.store;
      expect(await recovery.takeOrphans(claimant.instanceId, HOW, noLease())).toEqual([]);
    });

    test('goes through pages of executions, also of those that began in one statement, and paused ones', async () => {
      const claimant = newClaimant();
      const items = Array.from({ length: 1_100 }, () => startOf(workflow([[]])));
      await tested.store.start(items, noLease(claimant), false);
      await Promise.all(items.slice(0, 2).map(({ id }) => tested.store.pause(id, null)));
      await tested.behind.forgetClaims(claimant);
      await search();
      const found = await tested.store.claimsOf(claimant.instanceId);
      expect(new Set(found.map(({ executionId }) => executionId))).toEqual(
        new Set(items.map(({ id }) => id)),
      );
      await tested.store.recovery.takeOrphans(
        claimant.instanceId,
        { ...HOW, limit: 2_000 },
        noLease(),
      );
      // In place of 1,100 cancels, which would wait for each other on few connections.
      await tested.behind.empty();
    });

    test('is worth while in tenants with executions under way', async () => {
      const { store, session } = tested.behind;
      const isUnderWay = async () => session.underWay([store.handle]);
      await tested.behind.empty();
      expect(await isUnderWay()).toEqual([false]);
      const ready = startOf(parallel(1), { claims: 0 });
      await tested.store.start([ready], noLease(), false);
      expect(await isUnderWay()).toEqual([false]);
      const running = startOf(parallel(1));
      await tested.store.start([running], noLease(), false);
      expect(await isUnderWay()).toEqual([true]);
      await tested.store.pause(running.id, null);
      expect(await isUnderWay()).toEqual([true]);
      await tested.store.cancel(running.id, null);
      expect(await isUnderWay()).toEqual([false]);
    });
  });

  test('claims that an outcome ended are not found, those beside them are', async () => {
    const claimant = newClaimant();
    const both = parallel(2);
    const item = startOf(both);
    await tested.store.start([item], noLease(claimant), false);
    await tested.store.complete([outcomeOf(both, item.id, 0)], noLease(claimant));
    expect(keys(await tested.store.claimsOf(claimant.instanceId))).toEqual([
      { executionId: item.id, taskNo: 1, itemNo: 0 },
    ]);
  });
}
