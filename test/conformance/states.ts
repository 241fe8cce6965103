import { beforeEach, expect, test } from '@jest/globals';
import type { UserTransaction } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';

let number = 0;

export function describeStates(tested: TestedStore): void {
  const { signal } = new AbortController();
  let name: string;
  beforeEach(() => {
    name = `state ${++number}`;
  });

  const valueOf = async (transaction?: UserTransaction): Promise<string | null | undefined> => {
    const [state] = await tested.store.states.read([name], transaction);
    return state?.value;
  };
  const within = <T>(work: (manager: UserTransaction) => Promise<T>): Promise<T> =>
    tested.store.transaction(({ manager }) => work(manager), signal);

  test('a value is as it was set, and one that was never set is missing', async () => {
    const { states } = tested.store;
    expect(await states.read([name, `${name} other`])).toEqual([]);
    await states.set(name, '{"b": 1, "a":[1.50]}');
    await states.set(`${name} other`, null);
    const found = await states.read([name, `${name} other`]);
    expect(found.toSorted((a, b) => a.name.length - b.name.length)).toEqual([
      { name, value: '{"b": 1, "a":[1.50]}', updatedAt: expect.any(Number) },
      { name: `${name} other`, value: null, updatedAt: expect.any(Number) },
    ]);
    await states.set(name, '"again"');
    expect(await valueOf()).toBe('"again"');
  });

  test('a value in a transaction is there with its commit, and not before', async () => {
    const { states } = tested.store;
    await states.set(name, '1');
    await within(async (manager) => {
      await states.set(name, '2', manager);
      expect(await valueOf(manager)).toBe('2');
      expect(await valueOf()).toBe('1');
    });
    expect(await valueOf()).toBe('2');
    const failed = within(async (manager) => {
      expect(await states.replace(name, '3', '2', manager)).toBe(true);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await valueOf()).toBe('2');
  });

  test('a value is replaced only if it is the one that was seen', async () => {
    const { states } = tested.store;
    const replace = (value: string, seen: string | null): Promise<boolean> =>
      within((manager) => states.replace(name, value, seen, manager));
    expect(await replace('1', null)).toBe(true);
    expect(await replace('2', null)).toBe(false);
    expect(await replace('2', '3')).toBe(false);
    expect(await valueOf()).toBe('1');
    expect(await replace('{"a":  2}', '1')).toBe(true);
    expect(await replace('3', '{"a":2}')).toBe(false);
    expect(await replace('3', '{"a":  2}')).toBe(true);
    await states.set(name, null);
    expect(await replace('4', '3')).toBe(false);
    expect(await replace('4', null)).toBe(true);
    expect(await valueOf()).toBe('4');
  });

  test('of two transactions that have seen the same value, one replaces it', async () => {
    const { states } = tested.store;
    await states.set(name, '0');
    let both = 0;
    let seenByBoth: () => void;
    const bothHaveSeen = new Promise<void>((resolve) => (seenByBoth = resolve));
    const replaced = await Promise.all(
      ['1', '2'].map((value) =>
        within(async (manager) => {
          const seen = (await valueOf(manager)) ?? null;
          if (++both === 2) seenByBoth();
          await bothHaveSeen;
          return states.replace(name, value, seen, manager);
        }),
      ),
    );
    expect(replaced.toSorted()).toEqual([false, true]);
    expect(await valueOf()).toBe(replaced[0] ? '1' : '2');
  });

  test('a value that is set waits for a transaction that replaces it, and stays', async () => {
    const { states } = tested.store;
    await states.set(name, '0');
    const set = await within(async (manager) => {
      expect(await states.replace(name, '1', '0', manager)).toBe(true);
      return { later: states.set(name, '2') };
    });
    await set.later;
    expect(await valueOf()).toBe('2');
  });
}
