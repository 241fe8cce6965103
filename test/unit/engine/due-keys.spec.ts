import { beforeEach, expect, it } from '@jest/globals';
import { DueKeys } from '../../../lib/engine/limits/due-keys.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let stored: string[];
let reads: string[];
/** Whether each read was one that expects few due tasks. */
let few: boolean[];
let clock: ManualClock;
let due: DueKeys;
let lap: number;
/** The first claim of another lap. */
const beginLap = (): void => due.beginClaim(++lap);
beforeEach(() => {
  stored = ['a', 'b', 'c', 'd', 'e'];
  [reads, few] = [[], []];
  clock = new ManualClock();
  lap = 0;
  due = new DueKeys(
    {
      dueKeys: async (_, after, count, areFew = false) => {
        reads.push(`${after ?? ''}:${count}`);
        few.push(areFew);
        return stored.filter((key) => key > (after ?? '')).slice(0, count);
      },
    },
    clock,
  );
  beginLap();
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

it('reads them once for four laps that leave work, unless some time has passed', async () => {
  for (let n = 0; n < 4; n++) {
    await due.dueKeys([], null, 5);
    due.keep();
    beginLap();
  }
  expect(reads).toHaveLength(1);
  await due.dueKeys([], null, 5);
  expect(reads).toHaveLength(2);
  await clock.advance(100);
  due.keep();
  beginLap();
  await due.dueKeys([], null, 5);
  expect(reads).toHaveLength(3);
});

/** Begins and ends claims that leave work, each of which takes some time, until the next one has to read the keys. */
async function claimUntilOld(): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await due.dueKeys([], null, 5);
    await clock.advance(40);
    due.keep();
    beginLap();
  }
}

it('reads them during a claim for the next one, if that one follows at once', async () => {
  await claimUntilOld();
  stored = ['b'];
  await due.readAhead([]);
  expect(reads).toHaveLength(2);
  stored = ['c'];
  due.keep();
  beginLap();
  expect(await due.dueKeys([], null, 5)).toEqual(['b']);
  // It may lack a key that has become due since.
  expect([due.leftRoom(), reads.length]).toEqual([true, 2]);
});

it('expects few due tasks, except between claims that follow each other at once', async () => {
  await claimUntilOld();
  await due.readAhead([]);
  expect(few).toEqual([true, false]);
  await clock.advance(200);
  beginLap();
  await due.dueKeys([], null, 5);
  expect(few).toEqual([true, false, true]);
});

it('reads none ahead that the next claim does not need', async () => {
  await due.dueKeys([], null, 5);
  await due.readAhead([]);
  due.keep();
  beginLap();
  await due.dueKeys([], null, 5);
  await due.readAhead([]);
  expect(reads).toHaveLength(1);
});

it('does not use what was read ahead after a pause, after a claim that left room, or if it is told to forget', async () => {
  const endings = [
    async () => {
      due.keep();
      await clock.advance(25);
    },
    async () => due.leftRoom(),
    async () => {
      due.forget();
      due.keep();
    },
  ];
  for (const end of endings) {
    await claimUntilOld();
    stored = ['old'];
    await due.readAhead([]);
    stored = ['new'];
    await end();
    beginLap();
    expect(await due.dueKeys([], null, 5)).toEqual(['new']);
    due.forget();
  }
});

it('reads them again for a lap after one that has not kept them', async () => {
  stored = [];
  await due.dueKeys([], null, 5);
  stored = ['a'];
  beginLap();
  expect(await due.dueKeys([], null, 5)).toEqual(['a']);
});

it('reads them again when they are forgotten, and says whether the claim before may have missed some', async () => {
  await due.dueKeys([], null, 5);
  stored = ['b', 'f'];
  expect(due.leftRoom()).toBe(false);
  due.forget();
  due.keep();
  beginLap();
  expect(await due.dueKeys([], null, 2)).toEqual(['b', 'f']);
  due.keep();
  beginLap();
  expect(due.leftRoom()).toBe(true);
});

it('does not keep what was read while it was told to forget', async () => {
  const reading = due.dueKeys([], null, 5);
  due.forget();
  expect(await reading).toEqual(['a', 'b', 'c', 'd', 'e']);
  stored = ['b'];
  due.keep();
  beginLap();
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

it('reads them once for all claims of a lap, which may have missed none', async () => {
  stored = Array.from({ length: 64 }, (_, n) => `k${100 + n}`);
  let after: string | null = null;
  const found: string[] = [];
  for (let n = 0; n < 8; n++) {
    due.beginClaim(lap);
    const keys = await due.dueKeys([], after, 8);
    found.push(...keys);
    after = keys.at(-1)!;
    expect(due.leftRoom()).toBe(false);
  }
  expect(found).toEqual(stored);
  expect(reads).toEqual([':65']);
  beginLap();
  await due.dueKeys([], null, 8);
  expect(reads).toHaveLength(2);
});

it('counts all claims of a lap with the keys of an earlier one as claims that may have missed some', async () => {
  await due.dueKeys([], null, 5);
  due.keep();
  beginLap();
  await due.dueKeys([], null, 2);
  due.beginClaim(lap);
  await due.dueKeys([], 'b', 2);
  expect(due.leftRoom()).toBe(true);
  due.beginClaim(lap);
  await due.dueKeys([], 'd', 2);
  expect([due.leftRoom(), reads.length]).toEqual([false, 2]);
});

it('reads them again in a lap that takes its time', async () => {
  await due.dueKeys([], null, 5);
  await clock.advance(100);
  due.beginClaim(lap);
  await due.dueKeys([], 'a', 5);
  expect(reads).toHaveLength(2);
});
