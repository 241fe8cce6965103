import { beforeEach, describe, expect, test } from '@jest/globals';
import { limitKeyOf } from '../../lib/workflow/limit.js';
import type { JudgedLease, TakeOrphans } from '../../lib/store/port/index.js';
import { heldToken, releasedToken } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import type { Worker } from './worker.js';
import {
  newClaimant,
  noLease,
  outcomeOf,
  parallel,
  startOf,
  type TestWorkflow,
} from './workflows.js';

const HOW: TakeOrphans = {
  limit: 10,
  maxRecoveryAttempts: 3,
  cause: 'lockGone',
  orphanedForMs: 40,
};

export function describeRecovery(tested: TestedStore): void {
  const other = tested.worker();
  let lost: Worker;
  let of: TestWorkflow;
  let id: string;
  beforeEach(async () => {
    // Its claims are this test's alone. It writes no lease.
    lost = tested.worker();
    of = parallel(2, { definitionId: tested.newDefinition() });
    id = await lost.startOne(of);
  });

  function take(how: Partial<TakeOrphans> = {}, from = lost.claimant.instanceId) {
    return tested.store.recovery.takeOrphans(from, { ...HOW, ...how }, noLease(other.claimant));
  }

  describe('claims of an instance without a lease', () => {
    test('are Ready again at once, and have one more recovery', async () => {
      expect(await take()).toEqual(
        [0, 1].map((taskNo) => ({
          executionId: id,
          taskNo,
          itemNo: 0,
          definitionId: of.plan.definitionId,
          token: releasedToken(1),
          attempt: 0,
          recoveryAttempts: 1,
          unmetDependencies: 0,
          generation: 0,
          deferredForMs: null,
          priority: 0,
          wakes: 0,
          hasSteps: false,
          input: undefined,
          abandoned: false,
        })),
      );
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Ready',
        owner: null,
        run_at: expect.any(Date),
        recovery_attempts: 1,
      });
      expect(await take()).toEqual([]);
      const claims = await other.claim([of.plan.definitionId], 10);
      expect(claims.map(({ token }) => token)).toEqual([heldToken(2), heldToken(2)]);
    });

    test('are taken in the order of locks, as many as asked for', async () => {
      expect((await take({ limit: 1 })).map(({ taskNo }) => taskNo)).toEqual([0]);
      expect((await take()).map(({ taskNo }) => taskNo)).toEqual([1]);
    });

    test('stay while there is a lease', async () => {
      await tested.store.writeLease({ claimant: lost.claimant, write: true });
      expect(await take()).toEqual([]);
      await tested.store.recovery.endLease(lost.claimant.instanceId, 'former');
      expect(await take()).toHaveLength(2);
    });

    test('that were lost too often are claimed by the process that takes them', async () => {
      const claimant = newClaimant();
      const taken = await tested.store.recovery.takeOrphans(
        lost.claimant.instanceId,
        { ...HOW, maxRecoveryAttempts: 0 },
        { claimant, write: true },
      );
      expect(taken.map(({ abandoned, token }) => [abandoned, token])).toEqual([
        [true, heldToken(2)],
        [true, heldToken(2)],
      ]);
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Running',
        owner: claimant.instanceId,
        recovery_attempts: 0,
        run_at: null,
      });
      expect(await tested.behind.leaseOf(claimant)).toBeDefined();
      const own = outcomeOf(of, id, 0, { token: taken[0]!.token });
      expect((await tested.store.complete([own], noLease(claimant))).accepted).toEqual([true]);
    });
  });

  describe('a suspect, which was lost twice', () => {
    beforeEach(async () => {
      await take();
      for (const taskNo of [0, 1]) {
        const recoveryAttempts = tested.store.suspectAfter;
        await tested.behind.changeTask(id, taskNo, { recoveryAttempts });
      }
    });

    test('has not begun with its claim, so that its loss is not charged to it', async () => {
      await lost.claim([of.plan.definitionId], 10);
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Running', started_at: null });
      const [orphan] = await take({ maxRecoveryAttempts: 2 });
      expect(orphan).toMatchObject({ abandoned: false, recoveryAttempts: 2 });
    });

    test('begins by a statement of its own', async () => {
      const [claim] = await lost.claim([of.plan.definitionId], 1);
      const { taskNo, token } = claim!;
      expect(await tested.store.beginSuspect({ executionId: id, taskNo, itemNo: 0, token })).toBe(
        true,
      );
      expect(await tested.taskOf(id, taskNo)).toMatchObject({ started_at: expect.any(Date) });
      const [orphan] = await take({ maxRecoveryAttempts: 2 });
      expect(orphan).toMatchObject({ abandoned: true });
    });
  });

  test('of its own claims an instance gives back those that it names, by their tokens', async () => {
    const claims = await tested.store.claimsOf(lost.claimant.instanceId);
    const lease = noLease(lost.claimant);
    const { recovery } = tested.store;
    const wrong = claims.map((claim) => ({ ...claim, token: claim.token + 2 }));
    expect(await recovery.takeUnknown(wrong, HOW, lease)).toEqual([]);
    expect(await recovery.takeUnknown(claims, HOW, noLease(other.claimant))).toEqual([]);
    const second = claims.filter(({ taskNo }) => taskNo === 1);
    expect(await recovery.takeUnknown(second, HOW, lease)).toMatchObject([
      { taskNo: 1, token: releasedToken(1), recoveryAttempts: 1 },
    ]);
    expect(await tested.statusesOf(id)).toEqual(['Running', 'Ready']);
  });

  describe('the lease of a lost instance ends', () => {
    const judge = (judged: Partial<JudgedLease> | 'former') => {
      const { instanceId, lockEpoch, lockSession } = lost.claimant;
      const whole =
        judged === 'former' ? judged : { over: false, lockEpoch, lockSession, ...judged };
      return tested.store.recovery.endLease(instanceId, whole);
    };

    test('once, for the caller that may take its claims', async () => {
      await tested.store.writeLease({ claimant: lost.claimant, write: true });
      expect(await judge({})).toBe(true);
      expect(await judge({})).toBe(false);
    });

    test('not when it was renewed under another lock since it was judged', async () => {
      await tested.store.writeLease({ claimant: lost.claimant, write: true });
      expect(await judge({ lockSession: '7:43' })).toBe(false);
      expect(await judge({ lockEpoch: 'other' })).toBe(false);
      expect(await judge({ lockEpoch: null, lockSession: null })).toBe(false);
    });

    test('not when its time was over and it has been renewed', async () => {
      await tested.store.writeLease({ claimant: lost.claimant, write: true });
      expect(await judge({ over: true })).toBe(false);
      const over = { ...lost.claimant, leaseDurationMs: -1_000 };
      await tested.store.writeLease({ claimant: over, write: true });
      expect(await judge({ over: true })).toBe(true);
    });

    test('in any case when it is a former one of the process itself', async () => {
      await tested.store.writeLease({ claimant: lost.claimant, write: true });
      expect(await judge('former')).toBe(true);
    });
  });

  test('the events of tasks that are taken together have the order of the tasks', async () => {
    await take();
    const filter = { executionId: id, since: null, before: null, limit: 10 };
    const newestFirst = await tested.store.recovery.events(filter);
    expect(newestFirst.map(({ taskNo }) => taskNo)).toEqual([1, 0]);
  });

  test('each task that is taken leaves an event, and the statistics count it', async () => {
    const { recovery } = tested.store;
    const before = await recovery.stats(null);
    await take({ limit: 1 });
    await take({ maxRecoveryAttempts: 0, cause: 'boot', orphanedForMs: 40.4 });

    const filter = { executionId: id, since: null, before: null, limit: 10 };
    const events = await recovery.events(filter);
    const of1 = { taskNo: 1, kind: 'abandoned', cause: 'boot' };
    expect(events).toMatchObject([of1, { taskNo: 0, kind: 'recovered', cause: 'lockGone' }]);
    expect(events[0]).toMatchObject({
      executionId: id,
      definitionId: of.plan.definitionId,
      previousOwner: lost.claimant.instanceId,
      orphanedForMs: 40,
      at: expect.any(Date),
    });
    expect(await recovery.events({ ...filter, limit: 1 })).toEqual(events.slice(0, 1));
    expect(await recovery.events({ ...filter, before: events[0]!.id })).toEqual(events.slice(1));
    expect(await recovery.ownersOf({ executionId: id, taskNo: 0, itemNo: 0 })).toEqual([
      lost.claimant.instanceId,
    ]);
    const after = await recovery.stats(null);
    expect(after.recovered - before.recovered).toBe(1);
    expect(after.abandoned - before.abandoned).toBe(1);
    expect(await recovery.stats(new Date('2100-01-01T00:00:00Z'))).toEqual({
      recovered: 0,
      abandoned: 0,
      successRate: 1,
      timeToRecoverMs: { median: 0, p95: 0 },
    });
  });

  test.each([
    ['without a limit', null],
    [
      'with a limit',
      JSON.stringify({ 0: limitKeyOf('no handler', 'a'), 1: limitKeyOf('no handler', 'a') }),
    ],
  ])(
    'tasks %s that are due and have no handler are told of; after a minute they are stranded',
    async (_, limitKeys) => {
      const { recovery } = tested.store;
      const waiting = startOf(of, { claims: 0, limitKeys });
      await tested.store.start([waiting], noLease(), false);
      const { definitionId } = of.plan;
      const own = { executionId: waiting.id, itemNo: 0, definitionId };
      const blocked = async (definitions: string[], unknown: [string, number][]) =>
        (await recovery.blocked(definitions, unknown)).filter(
          ({ executionId }) => executionId === waiting.id,
        );
      expect((await blocked([], [])).toSorted((a, b) => a.taskNo - b.taskNo)).toEqual([
        { ...own, taskNo: 0 },
        { ...own, taskNo: 1 },
      ]);
      expect(await blocked([definitionId], [[definitionId, 1]])).toEqual([{ ...own, taskNo: 1 }]);
      expect(await blocked([definitionId], [])).toEqual([]);

      const stranded = async () =>
        (await recovery.stranded([], [])).filter((row) => row.definitionId === definitionId);
      expect(await stranded()).toEqual([]);
      await tested.behind.changeTask(waiting.id, 1, { runInMs: -3_600_000 });
      expect(await stranded()).toEqual([{ definitionId, taskNo: 1, count: 1 }]);
    },
  );
}
