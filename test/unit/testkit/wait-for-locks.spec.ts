import { expect, it } from '@jest/globals';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { ChangedExecution } from '../../../lib/store/port/index.js';
import { MemoryDatabase, MemoryStore } from '../../../lib/testing/memory-store/index.js';
import { waitForLocks } from '../../../lib/testkit/wait-for-locks.js';

/** A store that does with one execution what it is asked to, and leaves the others, as if their rows were locked. */
function oneByOne(): { store: MemoryStore; asked: (readonly string[])[] } {
  const store = new MemoryStore(new MemoryDatabase(new ManualClock()), 'a');
  const asked: (readonly string[])[] = [];
  const take = (ids: readonly string[]) => {
    asked.push(ids);
    const [id = '', ...left] = ids;
    return { id, left };
  };
  store.bulk.control = async (_, ids) => {
    const { id, left } = take(ids);
    return { changed: [{ id } as ChangedExecution], left };
  };
  store.bulk.delete = async (ids) => {
    const { id, left } = take(ids);
    return { deleted: [id], left };
  };
  store.bulk.reset = async (ids) => {
    const { id, left } = take(ids);
    return { reset: [{ id, dueInMs: 0 }], left };
  };
  return { store, asked };
}

it('A bulk call of a test tries again what is locked, and returns all that it has done', async () => {
  const { store, asked } = oneByOne();
  const { bulk } = waitForLocks(store);
  const ids = ['x', 'y', 'z'];
  const rest = [ids, ['y', 'z'], ['z']];
  const { changed, ...controlled } = await bulk.control('pause', ids, null);
  expect([changed.map(({ id }) => id), controlled.left]).toEqual([ids, []]);
  expect(await bulk.delete(ids)).toEqual({ deleted: ids, left: [] });
  const { reset, left } = await bulk.reset(ids, () => Promise.resolve(null));
  expect([reset.map(({ id }) => id), left]).toEqual([ids, []]);
  expect(asked).toEqual([...rest, ...rest, ...rest]);
});
