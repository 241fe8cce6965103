import { beforeEach, describe, expect, test } from '@jest/globals';
import type { LimitRequest } from '../../lib/store/port/index.js';
import { FAIR_LIMIT, limitKeyOf, type CheckedNumbers } from '../../lib/workflow/limit.js';
import { mapLimitKey } from '../../lib/workflow/map-limit.js';
import { noteClaim } from './last-token.js';
import type { TestedStore } from './tested-store.js';
import type { Worker } from './worker.js';
import { noLease, outcomeOf, parallel, rescheduleOf } from './workflows.js';

let names = 0;

export function describeLimits(tested: TestedStore): void {
  const worker = tested.worker();
  const other = tested.worker();
  let definitionId: string;
  let name: string;
  beforeEach(() => {
    definitionId = tested.newDefinition();
    name = `limit-${++names}`;
  });

  const keyOf = (key: string): string => limitKeyOf(name, key);
  const of = () => parallel(1, { definitionId });

  /** Executions of one task of the key, which is due; returns their ids. */
  async function waiting(key: string, count: number, priority = 0): Promise<string[]> {
    const limitKeys = JSON.stringify({ 0: keyOf(key) });
    return worker.startMany(of(), count, { claims: 0, limitKeys, priority });
  }

  interface Claiming {
    readonly by?: Worker;
    readonly room?: number;
  }

  async function claim(
    keys: readonly string[],
    numbers: CheckedNumbers,
    { by = worker, room = 100 }: Claiming = {},
  ) {
    const requests = keys.map((key): LimitRequest => ({ limitKey: keyOf(key), numbers }));
    const choice = { definitions: [definitionId], unknown: [] };
    const found = await tested.store.limits.claim(requests, room, choice, noLease(by.claimant));
    for (const { executionId, taskNo, token } of found.claims)
      noteClaim(executionId, taskNo, token);
    const perKey = keys.map(
      (key) => found.claims.filter(({ limitKey }) => limitKey === keyOf(key)).length,
    );
    return { ...found, ids: found.claims.map(({ executionId }) => executionId), perKey };
  }

  const end = (ids: readonly string[]) => worker.complete(ids.map((id) => outcomeOf(of(), id, 0)));

  describe('tasks with a limit', () => {
    test('are not claimed without it, neither by a start nor by a claim', async () => {
      const [id] = await waiting('a', 1);
      expect(await tested.statusesOf(id!)).toEqual(['Ready']);
      expect(await worker.claim([definitionId], 10)).toEqual([]);
      expect((await claim(['a'], {})).ids).toEqual([id]);
      expect(await tested.taskOf(id!, 0)).toMatchObject({
        status: 'Running',
        owner: worker.claimant.instanceId,
      });
    });

    test('of several definitions are claimed by priority, then by due time', async () => {
      const second = tested.newDefinition();
      const ofSecond = parallel(1, { definitionId: second });
      const limitKeys = JSON.stringify({ 0: keyOf('a') });
      const start = async (workflow: typeof ofSecond, priority: number) =>
        (await worker.startMany(workflow, 1, { claims: 0, limitKeys, priority }))[0]!;
      const ids: string[] = [];
      for (let n = 0; n < 40; n++) ids.push(await start(n % 3 === 0 ? of() : ofSecond, 50 - n));
      const both = async (room: number): Promise<string[]> => {
        const requests = [{ limitKey: keyOf('a'), numbers: {} }];
        const choice = { definitions: [definitionId, second], unknown: [] };
        const lease = noLease(worker.claimant);
        const { claims, keys } = await tested.store.limits.claim(requests, room, choice, lease);
        for (const { executionId, taskNo, token } of claims) noteClaim(executionId, taskNo, token);
        expect(keys[0]?.fate).toBe(ids.length > claims.length ? 'more' : 'done');
        return claims.map(({ executionId }) => executionId).toSorted();
      };
      for (const room of [1, 4, 25]) {
        expect(await both(room)).toEqual(ids.splice(0, room).toSorted());
      }
      expect(await both(100)).toEqual(ids.splice(0).toSorted());
    });

    test('of definitions that are not asked for are left, whichever is asked for a key', async () => {
      const second = tested.newDefinition();
      const limitKeys = JSON.stringify({ 0: keyOf('a') });
      const ofSecond = parallel(1, { definitionId: second });
      const [paused] = await worker.startMany(ofSecond, 1, { claims: 0, limitKeys, priority: 9 });
      const [id] = await waiting('a', 1);
      const { limits } = tested.store;
      expect(await limits.dueKeys([definitionId], null, 9)).toEqual([keyOf('a')]);
      const claimOf = async (definitions: readonly string[], ofKey?: readonly string[]) => {
        const request = { limitKey: keyOf('a'), numbers: {} };
        const requests = [ofKey === undefined ? request : { ...request, definitions: ofKey }];
        const choice = { definitions, unknown: [] };
        const found = await limits.claim(requests, 9, choice, noLease(worker.claimant));
        for (const { executionId, taskNo, token } of found.claims)
          noteClaim(executionId, taskNo, token);
        return found.claims.map(({ executionId }) => executionId);
      };
      expect(await claimOf([definitionId, second], [])).toEqual([]);
      expect(await claimOf([definitionId, second], [definitionId])).toEqual([id]);
      expect(await limits.dueKeys([definitionId], null, 9)).toEqual([]);
      expect(await claimOf([definitionId])).toEqual([]);
      expect(await claimOf([second])).toEqual([paused]);
    });

    test('are claimed by priority, then by due time', async () => {
      const late = await waiting('a', 1);
      const early = await waiting('a', 1);
      await tested.behind.changeTask(early[0]!, 0, { runInMs: -5_000 });
      const first = await waiting('a', 1, 7);
      expect((await claim(['a'], { concurrency: 2 })).ids.toSorted()).toEqual(
        [...first, ...early].toSorted(),
      );
      await end([...first, ...early]);
      expect((await claim(['a'], { concurrency: 2 })).ids).toEqual(late);
    });

    test('of other definitions are left alone', async () => {
      await waiting('a', 1);
      definitionId = tested.newDefinition();
      expect((await claim(['a'], {})).ids).toEqual([]);
    });
  });

  describe('the slots of a key', () => {
    test('are as many as its concurrency, in all processes together', async () => {
      await waiting('a', 5);
      expect((await claim(['a'], { concurrency: 2 })).perKey).toEqual([2]);
      const { perKey, keys } = await claim(['a'], { concurrency: 2 }, { by: other });
      expect(perKey).toEqual([0]);
      expect(keys).toEqual([
        {
          limitKey: keyOf('a'),
          claimed: 0,
          fate: 'done',
          tokenInMs: null,
          rate: null,
          hasTotal: false,
        },
      ]);
    });

    test('do not depend on the slots of another key', async () => {
      await waiting('a', 3);
      await waiting('b', 3);
      expect((await claim(['a', 'b'], { concurrency: 2 })).perKey).toEqual([2, 2]);
    });

    test.each([
      'an outcome',
      'retry',
      'defer',
      'giveBack',
      'suspend',
      'cancel',
      'recovery',
    ] as const)('are free after %s', async (way) => {
      await waiting('a', 3);
      const by = tested.worker();
      const { ids } = await claim(['a'], { concurrency: 1 }, { by });
      const [id] = ids;
      if (way === 'an outcome') await end(ids);
      else if (way === 'cancel') await tested.store.cancel(id!, null);
      else if (way === 'recovery') {
        const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 };
        const { instanceId } = by.claimant;
        await tested.store.recovery.takeOrphans(instanceId, how, noLease(other.claimant));
      } else {
        const item = rescheduleOf(way, id!, 0, { delayMs: 60_000, error: { message: 'no' } });
        expect(await tested.store.reschedule([item])).toEqual(['ended']);
      }
      expect((await claim(['a'], { concurrency: 1 })).perKey).toEqual([1]);
      expect((await claim(['a'], { concurrency: 1 })).perKey).toEqual([0]);
    });

    test('are taken again by a task whose claim was lost and that runs again', async () => {
      await waiting('a', 2);
      const { ids } = await claim(['a'], { concurrency: 1 });
      await tested.store.reschedule([rescheduleOf('giveBack', ids[0]!, 0)]);
      await claim(['a'], { concurrency: 1 });
      expect((await claim(['a'], { concurrency: 1 })).perKey).toEqual([0]);
    });

    test('are more or fewer from the next claim on when they are set', async () => {
      await waiting('a', 6);
      await tested.store.limits.setLimit(name, { concurrency: 3 });
      expect((await claim(['a'], { concurrency: 1 })).perKey).toEqual([3]);
      await tested.store.limits.setKey(keyOf('a'), { concurrency: 4 });
      expect((await claim(['a'], { concurrency: 1 })).perKey).toEqual([1]);
      await tested.store.limits.setKey(keyOf('a'), { concurrency: null });
      await tested.store.limits.setLimit(name, { concurrency: 0 });
      expect((await claim(['a'], { concurrency: 1 })).perKey).toEqual([0]);
    });

    test('of all keys together are at most the total', async () => {
      await waiting('a', 4);
      await waiting('b', 4);
      const numbers = { concurrency: 3, total: 4 };
      const { ids, perKey } = await claim(['a', 'b'], numbers);
      expect(perKey).toEqual([2, 2]);
      expect((await claim(['a'], numbers)).perKey).toEqual([0]);
      await end(ids.slice(0, 1));
      expect((await claim(['a', 'b'], numbers)).ids).toHaveLength(1);
    });

    test('are told to have a total, whether the code has set it or a call', async () => {
      const hasTotal = async (numbers: CheckedNumbers): Promise<boolean | undefined> =>
        (await claim(['a'], numbers)).keys[0]?.hasTotal;
      expect(await hasTotal({ total: 4 })).toBe(true);
      expect(await hasTotal({})).toBe(false);
      await tested.store.limits.setLimit(name, { total: 3 });
      expect(await hasTotal({})).toBe(true);
    });
  });

  describe('the slot of a strict key', () => {
    const numbers: CheckedNumbers = { concurrency: 1, isStrict: true };

    test.each(['retry', 'defer', 'suspend', 'giveBack'] as const)(
      'is held after %s until the task has ended, and the task runs again first',
      async (way) => {
        const waitingIds = await waiting('a', 3, 5);
        const { ids } = await claim(['a'], numbers);
        const [id] = ids;
        await tested.store.reschedule([
          rescheduleOf(way, id!, 0, { delayMs: 3_600_000, error: { message: 'no' } }),
        ]);
        if (way === 'giveBack') {
          await tested.behind.changeTask(id!, 0, { runInMs: 3_600_000 });
        }
        expect((await claim(['a'], numbers)).ids).toEqual([]);
        // A key that is not strict has a free slot.
        const [listed] = await tested.store.limits.keys({ name, after: null, count: 1 });
        expect(listed?.holders).toEqual([]);
        const page = { name, after: null, count: 1, strict: [name] };
        expect((await tested.store.limits.keys(page))[0]?.holders).toHaveLength(1);

        await tested.behind.changeTask(id!, 0, { runInMs: -1 });
        expect((await claim(['a'], numbers)).ids).toEqual([id]);
        expect((await claim(['a'], numbers)).ids).toEqual([]);
        expect((await tested.store.limits.keys(page))[0]?.holders).toHaveLength(1);
        await end([id!]);
        const next = await claim(['a'], numbers);
        expect(next.ids).toHaveLength(1);
        expect(waitingIds).toContain(next.ids[0]);
        expect(next.ids).not.toEqual([id]);
      },
    );

    test('is held while the execution is paused, and free after its cancellation', async () => {
      await waiting('a', 2);
      const { ids } = await claim(['a'], numbers);
      await tested.store.reschedule([rescheduleOf('giveBack', ids[0]!, 0)]);
      await tested.store.pause(ids[0]!, null);
      expect((await claim(['a'], numbers)).ids).toEqual([]);
      await tested.store.cancel(ids[0]!, null);
      expect((await claim(['a'], numbers)).ids).toHaveLength(1);
    });

    test('is found by its key while the task waits, as that of no other limit', async () => {
      await waiting('a', 2);
      const { ids } = await claim(['a'], numbers);
      const [id] = ids;
      await tested.store.reschedule([rescheduleOf('suspend', id!, 0, { delayMs: null })]);
      const limitKey = keyOf('a');
      const found = async (limitIsStrict: boolean): Promise<boolean> => {
        const rows = await tested.store.list({ limit: 9, limitKey, limitIsStrict });
        return rows.some((row) => row.id === id);
      };
      expect([await found(true), await found(false)]).toEqual([true, false]);
      await tested.store.cancel(id!, null);
      expect(await found(true)).toBe(false);
    });

    test('is taken once by a task that runs again, also if the key has several', async () => {
      await waiting('a', 4);
      await tested.store.limits.setKey(keyOf('a'), { concurrency: 3 });
      const { ids } = await claim(['a'], numbers, { room: 2 });
      expect(ids).toHaveLength(2);
      await tested.store.reschedule([rescheduleOf('giveBack', ids[0]!, 0)]);
      const again = await claim(['a'], numbers);
      expect(again.ids).toContain(ids[0]);
      expect(again.ids).toHaveLength(2);
      const page = { name, after: null, count: 1, strict: [name] };
      expect((await tested.store.limits.keys(page))[0]?.holders).toHaveLength(3);
      expect((await claim(['a'], numbers)).ids).toEqual([]);
    });

    test('is taken before a free one, whatever the priority of the tasks that wait', async () => {
      await waiting('a', 1);
      await tested.store.limits.setKey(keyOf('a'), { concurrency: 2 });
      const { ids } = await claim(['a'], numbers);
      await tested.store.reschedule([rescheduleOf('giveBack', ids[0]!, 0)]);
      const urgent = await waiting('a', 1, 50);
      expect((await claim(['a'], numbers, { room: 1 })).ids).toEqual(ids);
      expect((await claim(['a'], numbers, { room: 1 })).ids).toEqual(urgent);
    });

    test('is one of two kinds of slots in a claim', async () => {
      await waiting('a', 2);
      await waiting('b', 2);
      const strict = { limitKey: keyOf('a'), numbers };
      const plain = { limitKey: keyOf('b'), numbers: { concurrency: 1 } };
      const choice = { definitions: [definitionId], unknown: [] };
      const claimBoth = () =>
        tested.store.limits.claim([strict, plain], 10, choice, noLease(worker.claimant));
      const { claims } = await claimBoth();
      for (const one of claims) noteClaim(one.executionId, one.taskNo, one.token);
      expect(claims.map(({ limitKey }) => limitKey).toSorted()).toEqual([keyOf('a'), keyOf('b')]);
      await tested.store.reschedule(
        claims.map(({ executionId }) =>
          rescheduleOf('defer', executionId, 0, { delayMs: 3_600_000 }),
        ),
      );
      expect((await claimBoth()).claims.map(({ limitKey }) => limitKey)).toEqual([keyOf('b')]);
    });

    test('needs a token for each run', async () => {
      await waiting('a', 2);
      const rated = { ...numbers, rate: { limit: 1, perMs: 3_600_000, burst: 1 } };
      const { ids } = await claim(['a'], rated);
      await tested.store.reschedule([rescheduleOf('giveBack', ids[0]!, 0)]);
      expect((await claim(['a'], rated)).ids).toEqual([]);
    });
  });

  describe('keys that only take turns', () => {
    beforeEach(() => {
      name = FAIR_LIMIT;
    });

    test('have as many slots as there is room, and keep no holders', async () => {
      const key = `key of ${definitionId}`;
      await waiting(key, 5);
      expect((await claim([key], {}, { room: 3 })).perKey).toEqual([3]);
      expect((await claim([key], {})).perKey).toEqual([2]);
      const [row] = await tested.store.limits.keysOf([keyOf(key)]);
      expect(row).toMatchObject({ concurrency: null, holders: [] });
    });

    test('have a concurrency from when it is set', async () => {
      const key = `key of ${definitionId}`;
      await waiting(key, 5);
      await claim([key], {}, { room: 2 });
      await tested.store.limits.setKey(keyOf(key), { concurrency: 1 });
      expect((await claim([key], {})).perKey).toEqual([1]);
      expect((await claim([key], {})).perKey).toEqual([0]);
      await tested.store.limits.setKey(keyOf(key), { concurrency: null });
      expect((await claim([key], {})).perKey).toEqual([2]);
    });
  });

  describe('turns', () => {
    test('each key gets one task before any gets two', async () => {
      await waiting('a', 9);
      await waiting('b', 1);
      await waiting('c', 9);
      expect((await claim(['a', 'b', 'c'], {}, { room: 3 })).perKey).toEqual([1, 1, 1]);
      expect((await claim(['a', 'b', 'c'], {}, { room: 2 })).perKey).toEqual([1, 0, 1]);
    });

    test('a key of weight 3 gets three tasks in each round', async () => {
      await waiting('a', 9);
      await waiting('b', 9);
      await tested.store.limits.setKey(keyOf('b'), { weight: 3 });
      expect((await claim(['a', 'b'], {}, { room: 8 })).perKey).toEqual([2, 6]);
    });

    test('keys are found in their order, however many tasks each has', async () => {
      for (const key of ['b', 'a', 'c']) await waiting(key, 3);
      const found = await tested.store.limits.dueKeys([definitionId], null, 2);
      expect(found).toEqual([keyOf('a'), keyOf('b')]);
      expect(await tested.store.limits.dueKeys([definitionId], keyOf('b'), 2)).toEqual([
        keyOf('c'),
      ]);
      expect(await tested.store.limits.dueKeys([tested.newDefinition()], null, 2)).toEqual([]);
      expect(await tested.store.limits.dueKeys([definitionId], null, 2, true)).toEqual(found);
      expect(await tested.store.limits.dueKeys([definitionId], keyOf('b'), 2, true)).toEqual([
        keyOf('c'),
      ]);
    });
  });

  describe('a rate', () => {
    // So slow that no token comes while the test runs.
    const rate = { limit: 1, perMs: 3_600_000, burst: 2 };

    test('lets as many tasks begin at once as its burst', async () => {
      await waiting('a', 5);
      const { perKey, keys, ids } = await claim(['a'], { rate });
      expect(perKey).toEqual([2]);
      expect(keys[0]?.tokenInMs).toBeGreaterThan(3_000_000);
      await end(ids);
      expect((await claim(['a'], { rate })).perKey).toEqual([0]);
    });

    test('that is set replaces the one of the code', async () => {
      await waiting('a', 5);
      await tested.store.limits.setKey(keyOf('a'), { rate: { ...rate, burst: 3 } });
      expect((await claim(['a'], { rate })).perKey).toEqual([3]);
    });

    test('that is set rules at once, also if the next token of a slower one is far away', async () => {
      await waiting('a', 3);
      const slow = { ...rate, burst: 1 };
      expect((await claim(['a'], { rate: slow })).perKey).toEqual([1]);
      const fast = { limit: 1_000, perMs: 1_000, burst: 1 };
      await tested.store.limits.setKey(keyOf('a'), { rate: fast });
      let { perKey, keys } = await claim(['a'], { rate: slow });
      expect(keys[0]?.tokenInMs ?? 0).toBeLessThanOrEqual(1);
      while (perKey[0] === 0) ({ perKey, keys } = await claim(['a'], { rate: slow }));
      expect(perKey).toEqual([1]);
    });
  });

  describe('keys that are not used', () => {
    const prune = async (numbers: CheckedNumbers = {}, idleMs = 0): Promise<void> => {
      const limits = new Map([[name, numbers]]);
      let after: string | null = null;
      do after = (await tested.store.limits.prune(limits, idleMs, after)).last;
      while (after !== null);
    };
    const known = async (): Promise<string[]> =>
      (await tested.store.limits.keys({ name, after: null, count: 10 })).map(
        ({ limitKey }) => limitKey,
      );

    /** A key whose only task has ended. */
    async function ended(key: string, numbers: CheckedNumbers = {}): Promise<void> {
      await waiting(key, 1);
      await end((await claim([key], numbers)).ids);
    }

    test('are forgotten, and begin anew with the next task', async () => {
      await ended('a');
      await prune({}, 3_600_000);
      expect(await known()).toEqual([keyOf('a')]);
      await prune();
      expect(await known()).toEqual([]);
      await waiting('a', 2);
      // A claim that finds no row comes back after it has inserted one.
      await claim(['a'], { concurrency: 1 });
      await claim(['a'], { concurrency: 1 });
      expect(
        (await tested.store.limits.keys({ name, after: null, count: 10 }))[0]?.holders,
      ).toHaveLength(1);
    });

    test('are not those with a task that runs or waits, with numbers, or of an unknown limit', async () => {
      await waiting('runs', 1);
      await claim(['runs'], {});
      await ended('waits');
      await waiting('waits', 1);
      await ended('set');
      await tested.store.limits.setKey(keyOf('set'), { weight: 2 });
      await ended('used');
      await prune();
      expect(await known()).toEqual([keyOf('runs'), keyOf('set'), keyOf('waits')]);
      await ended('other');
      await tested.store.limits.prune(new Map(), 0, null);
      expect(await known()).toContain(keyOf('other'));
    });

    test('keep their rate until all tokens are back', async () => {
      const rate = { limit: 1, perMs: 3_600_000, burst: 2 };
      await ended('a', { rate });
      await prune({ rate });
      expect(await known()).toEqual([keyOf('a')]);
      await tested.store.limits.setLimit(name, { rate: { limit: 1_000_000, perMs: 1, burst: 1 } });
      await prune({ rate });
      expect(await known()).toEqual([]);
    });

    test('are not strict ones whose task has begun and is paused', async () => {
      await waiting('a', 1);
      const strict: CheckedNumbers = { concurrency: 1, isStrict: true };
      const { ids } = await claim(['a'], strict);
      await tested.store.reschedule([rescheduleOf('giveBack', ids[0]!, 0)]);
      await tested.store.pause(ids[0]!, null);
      await prune(strict);
      expect(await known()).toEqual([keyOf('a')]);
      await prune({ concurrency: 1 });
      expect(await known()).toEqual([]);
    });

    test('are also those that only take turns, which no code has numbers of', async () => {
      name = FAIR_LIMIT;
      const key = `turn of ${definitionId}`;
      await ended(key);
      await tested.store.limits.prune(new Map(), 0, null);
      expect(await tested.store.limits.keysOf([keyOf(key)])).toEqual([]);
    });

    test('are also those of maps', async () => {
      const [id] = await waiting('a', 1);
      const limitKey = mapLimitKey({ definitionId, executionId: id!, taskNo: 0 });
      await tested.store.limits.setKey(limitKey, { weight: 2 });
      await prune();
      expect(await tested.store.limits.keysOf([limitKey])).toHaveLength(1);
      await tested.store.limits.setKey(limitKey, { weight: null });
      await prune();
      expect(await tested.store.limits.keysOf([limitKey])).toEqual([]);
    });
  });

  test('a key shows its holders and the tasks that wait', async () => {
    const ids = await waiting('a', 3);
    await tested.store.limits.setLimit(name, { concurrency: 1 });
    const { ids: held } = await claim(['a'], {});
    const [row, ...more] = await tested.store.limits.keys({ name, after: null, count: 10 });
    expect(more).toEqual([]);
    expect(row).toMatchObject({
      limitKey: keyOf('a'),
      concurrency: 1,
      weight: 1,
      holders: [{ executionId: held[0], taskNo: 0, itemNo: 0 }],
      waiting: ids.length - 1,
      tokenInMs: null,
    });
    expect(row?.oldestForMs).toBeGreaterThanOrEqual(0);
    await tested.store.cancel(held[0]!, null);
    expect((await tested.store.limits.keys({ name, after: null, count: 10 }))[0]?.holders).toEqual(
      [],
    );
    expect(await tested.store.limits.keys({ name, after: keyOf('a'), count: 10 })).toEqual([]);
  });
}
