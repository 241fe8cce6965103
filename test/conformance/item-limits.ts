import { beforeEach, describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type LimitRequest } from '../../lib/store/port/index.js';
import { joinLimitKeys, limitKeyOf, type CheckedNumbers } from '../../lib/workflow/limit.js';
import { mapLimitKey } from '../../lib/workflow/map-limit.js';
import type { TestedStore } from './tested-store.js';
import { itemOutcomeOf, noLease, rescheduleOf, workflow } from './workflows.js';

let names = 0;

/** The items of maps with a limit: alone, and beside the concurrency of their map. */
export function describeItemLimits(tested: TestedStore): void {
  const worker = tested.worker();
  let definitionId: string;
  let name: string;
  beforeEach(() => {
    definitionId = tested.newDefinition();
    name = `items-${++names}`;
  });

  const keyOf = (key: string): string => limitKeyOf(name, key);
  const mapOf = (executionId: string): string =>
    mapLimitKey({ definitionId, executionId, taskNo: 0 });

  /** A map that has stored an item for each key, and waits for them. */
  async function map(keys: readonly string[], isJoined = true): Promise<string> {
    const id = await worker.startOne(workflow([[], [0]], { definitionId }));
    await tested.store.items.append({
      executionId: id,
      taskNo: 0,
      itemNo: 0,
      token: FIRST_TOKEN,
      stored: 0,
      items: keys.map((key) => JSON.stringify({ key })),
      isLast: true,
      limitKeys: keys.map((key) => (isJoined ? joined(id, key) : keyOf(key))),
    });
    return id;
  }

  const joined = (id: string, key: string): string => joinLimitKeys(keyOf(key), mapOf(id));

  async function claim(
    keys: readonly string[],
    numbers: CheckedNumbers,
    { mapConcurrency = 100, room = 100 } = {},
  ) {
    const requests = keys.map((limitKey): LimitRequest => {
      const isJoined = limitKey.includes('map');
      return isJoined ? { limitKey, numbers, mapConcurrency } : { limitKey, numbers };
    });
    const choice = { definitions: [definitionId], unknown: [] };
    const lease = noLease(worker.claimant);
    const found = await tested.store.limits.claim(requests, room, choice, lease);
    const perKey = keys.map(
      (key) => found.claims.filter(({ limitKey }) => limitKey === key).length,
    );
    return { ...found, perKey };
  }

  test('items have keys of their own, and count for them', async () => {
    await map(['a', 'a', 'b', 'a'], false);
    expect(await worker.claim([definitionId], 10)).toEqual([]);
    expect(await tested.store.limits.dueKeys([definitionId], null, 9)).toEqual([
      keyOf('a'),
      keyOf('b'),
    ]);
    const { claims, perKey } = await claim([keyOf('a'), keyOf('b')], { concurrency: 2 });
    expect(perKey).toEqual([2, 1]);
    const items = await tested.store.items.read(claims);
    for (const { item, itemNo } of items) {
      const { key } = JSON.parse(item!) as { key: string };
      const of = claims.find((one) => one.itemNo === itemNo);
      expect(of?.limitKey).toBe(keyOf(key));
    }
  });

  describe('items of a map with a concurrency', () => {
    test('take a slot of their key and one of their map', async () => {
      const id = await map(['a', 'a', 'a', 'b', 'b', 'b']);
      const keys = [joined(id, 'a'), joined(id, 'b')];
      expect((await claim(keys, { concurrency: 2 }, { mapConcurrency: 3 })).claims).toHaveLength(3);
      // The map is full, and then key a and key b are.
      expect((await claim(keys, { concurrency: 2 }, { mapConcurrency: 3 })).claims).toEqual([]);
      expect((await claim(keys, { concurrency: 2 }, { mapConcurrency: 9 })).claims).toHaveLength(1);
      expect((await claim(keys, { concurrency: 2 }, { mapConcurrency: 9 })).perKey).toEqual([0, 0]);
      expect((await claim(keys, { concurrency: 3 }, { mapConcurrency: 9 })).perKey).toEqual([1, 1]);
    });

    test('share the slots of a key with other maps and other tasks', async () => {
      const one = await map(['a', 'a', 'a']);
      const other = await map(['a', 'a', 'a']);
      await map(['a', 'a', 'a'], false);
      const keys = [joined(one, 'a'), joined(other, 'a'), keyOf('a')];
      const first = await claim(keys, { concurrency: 4 });
      expect(first.claims).toHaveLength(4);
      for (const key of keys) expect((await claim([key], { concurrency: 4 })).claims).toEqual([]);
      await worker.complete(first.claims.slice(0, 1).map((held) => itemOutcomeOf(held)));
      expect((await claim(keys.toReversed(), { concurrency: 4 })).claims).toHaveLength(1);
      const [row] = await tested.store.limits.keysOf([keyOf('a')]);
      expect(row?.holders).toHaveLength(4);
      expect(row?.waiting).toBe(4);
    });

    test('have a share of little room, beside tasks of the same limit', async () => {
      const id = await map(['a', 'a']);
      await map(['a', 'a', 'a', 'b', 'b', 'b'], false);
      const keys = [keyOf('a'), joined(id, 'a'), keyOf('b')];
      const first = await claim(keys, {}, { room: 2 });
      expect([first.claims.length, first.perKey[1]]).toEqual([2, 1]);
      // The room that the last item leaves is for the others.
      const second = await claim(keys, {}, { room: 5 });
      expect([second.claims.length, second.perKey[1]]).toEqual([5, 1]);
      expect((await claim(keys, {}, { room: 9 })).claims).toHaveLength(1);
    });

    test('of a full map hide no task of the same key', async () => {
      const full = await map(['a', 'a', 'a']);
      expect((await claim([joined(full, 'a')], {}, { mapConcurrency: 1 })).perKey).toEqual([1]);
      const other = await map(['a']);
      expect(
        (await claim([joined(full, 'a'), joined(other, 'a')], {}, { mapConcurrency: 1 })).perKey,
      ).toEqual([0, 1]);
    });

    test.each(['an outcome', 'retry', 'suspend', 'giveBack'] as const)(
      'free both slots after %s',
      async (way) => {
        const id = await map(['a', 'a', 'a']);
        const key = joined(id, 'a');
        const [held] = (await claim([key], { concurrency: 1 }, { mapConcurrency: 1 })).claims;
        expect((await claim([key], { concurrency: 2 }, { mapConcurrency: 1 })).perKey).toEqual([0]);
        expect((await claim([key], { concurrency: 1 }, { mapConcurrency: 2 })).perKey).toEqual([0]);
        if (way === 'an outcome') {
          await worker.complete([itemOutcomeOf(held!)]);
        } else {
          const { token, itemNo } = held!;
          const item = { token, itemNo, delayMs: 3_600_000, error: { message: 'no' } };
          expect(await tested.store.reschedule([rescheduleOf(way, id, 0, item)])).toEqual([
            'ended',
          ]);
        }
        const [state] = await tested.store.limits.keysOf([mapOf(id)]);
        expect(state?.holders).toEqual([]);
        expect((await claim([key], { concurrency: 1 }, { mapConcurrency: 1 })).perKey).toEqual([1]);
        expect((await claim([key], { concurrency: 1 }, { mapConcurrency: 1 })).perKey).toEqual([0]);
      },
    );

    test('take the tokens of their key, and the slots of the total', async () => {
      const rate = { limit: 1, perMs: 3_600_000, burst: 3 };
      const one = await map(['a', 'a', 'b', 'b']);
      const other = await map(['a', 'a']);
      const keys = [joined(one, 'a'), joined(other, 'a'), joined(one, 'b')];
      const first = await claim(keys, { rate, total: 4 });
      expect(first.claims).toHaveLength(4);
      expect((await claim(keys, { rate, total: 4 })).claims).toEqual([]);
      await worker.complete(first.claims.map((held) => itemOutcomeOf(held)));
      // Three of each key could begin.
      const { claims, keys: states } = await claim(keys, { rate, total: 4 });
      const begun = [...first.claims, ...claims].map(({ limitKey }) => limitKey);
      expect(begun.filter((key) => key !== keys[2])).toHaveLength(3);
      expect(begun.filter((key) => key === keys[2])).toHaveLength(2);
      expect(states[0]?.tokenInMs).toBeGreaterThan(3_000_000);
    });

    test('are told to have a total, whether the code has set it or a call', async () => {
      const id = await map(['a', 'a']);
      const hasTotal = async (numbers: CheckedNumbers): Promise<boolean | undefined> =>
        (await claim([joined(id, 'a')], numbers)).keys[0]?.hasTotal;
      expect(await hasTotal({ total: 4 })).toBe(true);
      expect(await hasTotal({})).toBe(false);
      await tested.store.limits.setLimit(name, { total: 3 });
      expect(await hasTotal({})).toBe(true);
    });

    test('say that there may be more, until their rows are full', async () => {
      const id = await map(['a', 'a', 'a', 'b']);
      const keys = [joined(id, 'a'), joined(id, 'b')];
      const fates = async (room: number) =>
        (await claim(keys, { concurrency: 2 }, { mapConcurrency: 3, room })).keys.map(
          ({ fate }) => fate,
        );
      expect(await fates(1)).toEqual(['more', 'more']);
      expect((await claim(keys, { concurrency: 2 }, { mapConcurrency: 3 })).claims).toHaveLength(2);
      expect(await fates(9)).toEqual(['done', 'done']);
    });

    test('are found by their limit', async () => {
      const id = await map(['a', 'b']);
      await claim([joined(id, 'b')], {});
      const found = async (key: string) =>
        (await tested.store.list({ limit: 9, limitKey: keyOf(key) })).map((row) => row.id);
      expect(await found('a')).toEqual([id]);
      expect(await found('b')).toEqual([id]);
      expect(await found('c')).toEqual([]);
      const listed = await tested.store.limits.keys({ name, after: null, count: 9 });
      expect(listed.map(({ limitKey }) => limitKey)).toEqual([keyOf('b')]);
    });
  });
}
