import { beforeEach, expect, it } from '@jest/globals';
import { DueKeys } from '../../../lib/engine/limits/due-keys.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let stored: string[];
let reads: string[];
let clock: ManualClock;
let due: DueKeys;
beforeEach(() => {
  stored = ['a', 'b', 'c', 'd', 'e'];
  reads = [];
  clock = new ManualClock();
  due = new DueKeys(
    {
      dueKeys: async (_, after, count) => {
        reads.push(`${after ?? ''}:${count}`);
        return stored.filter((key) => key > (after ?? '')).slice(0, count);
      },
    },
    clock,
  );
  due.beginClaim();
});

/** More keys than are remembered. */
function many(): string[] {
  return Array.from({ length: 100 }, (_, n) => `k${100 + n}`);
}

it('reads all keys once for the parts of a lap', async () => {
  expect(await due.dueKeys([], 'c', 5)).toEqual(['d', 'e']);
  expect(await due.dueKeys([], null, 3)).toEqual(['a', 'b', 'c']);
  expect(await due.dueKeys([], 'e', 3)).toEqual([]);
  expect(reads).toEqual([':65']);
});

it('reads them once for four claims that leave work, unless some time has passed', async () => {
  for (let n = 0; n < 4; n++) {
    await due.dueKeys([], null, 5);
    due.keep();
    due.beginClaim();
  }
  expect(reads).toHaveLength(1);
  await due.dueKeys([], null, 5);
  expect(reads).toHaveLength(2);
  await clock.advance(100);
  due.keep();
  due.beginClaim();
  await due.dueKeys([], null, 5);
  expect(reads).toHaveLength(3);
});

it('reads them again for a claim after one that has not kept them', async () => {
  stored = [];
  await due.dueKeys([], null, 5);
  stored = ['a'];
  due.beginClaim();
  expect(await due.dueKeys([], null, 5)).toEqual(['a']);
});

it('reads them again when they are forgotten, and says whether the claim before may have missed some', async () => {
  await due.dueKeys([], null, 5);
  stored = ['b', 'f'];
  expect(due.forget()).toBe(false);
  due.keep();
  due.beginClaim();
  expect(await due.dueKeys([], null, 2)).toEqual(['b', 'f']);
  due.keep();
  due.beginClaim();
  expect(due.forget()).toBe(true);
});

it('does not keep what was read while it was told to forget', async () => {
  const reading = due.dueKeys([], null, 5);
  due.forget();
  expect(await reading).toEqual(['a', 'b', 'c', 'd', 'e']);
  stored = ['b'];
  due.keep();
  due.beginClaim();
  expect(await due.dueKeys([], null, 5)).toEqual(['b']);
});

it('reads many keys a part at a time, and looks now and then whether they are few', async () => {
  stored = many();
  expect(await due.dueKeys([], 'k150', 2)).toEqual(['k151', 'k152']);
  expect(await due.dueKeys([], null, 2)).toEqual(['k100', 'k101']);
  expect(reads).toEqual([':65', 'k150:2', ':2']);
  stored = ['a'];
  for (let n = 0; n < 16; n++) await due.dueKeys([], null, 2);
  expect(reads.slice(-2)).toEqual([':2', ':65']);
});
