import { beforeEach, expect, it } from '@jest/globals';
import { KeyLap } from '../../../lib/engine/limits/key-lap.js';

let due: string[];
let lap: KeyLap;
beforeEach(() => {
  due = ['a', 'b', 'c', 'd', 'e'];
  lap = new KeyLap({
    dueKeys: async (_, after, count) => due.filter((key) => key > (after ?? '')).slice(0, count),
  });
});

/** Goes on until the lap is over. */
async function rest(count: number): Promise<string[]> {
  const keys: string[] = [];
  while (lap.isUnderWay) keys.push(...(await lap.next([], count)));
  return keys;
}

it('goes through all keys once', async () => {
  lap.begin();
  expect(await rest(2)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(await lap.next([], 2)).toEqual([]);
});

it('goes on behind the last key that had room, and comes to the keys before it', async () => {
  lap.begin();
  expect(await lap.next([], 4)).toEqual(['a', 'b', 'c', 'd']);
  lap.stoppedAt('b');
  expect(await rest(2)).toEqual(['c', 'd', 'e', 'a', 'b']);
});

it('begins again if it was asked for while it was under way', async () => {
  lap.begin();
  await lap.next([], 5);
  lap.begin();
  expect(await rest(2)).toEqual(['a', 'b', 'c', 'd', 'e']);
});

it('begins behind a key, goes round to it, and again behind another one', async () => {
  lap.begin('c');
  expect(await lap.take([], 4)).toEqual(['d', 'e', 'a', 'b']);
  lap.begin('a');
  expect(await rest(5)).toEqual(['c', 'b', 'c', 'd', 'e', 'a']);
});

it('is one lap however often it is asked for before it reads', async () => {
  lap.begin();
  lap.begin('c');
  expect(await rest(5)).toEqual(due);
});

it('is stopped with the one after it', async () => {
  lap.begin();
  await lap.next([], 1);
  lap.begin();
  lap.stop();
  expect([lap.isUnderWay, await lap.next([], 5)]).toEqual([false, []]);
});

it('ends when no key is due any more', async () => {
  lap.begin();
  await lap.next([], 2);
  due = [];
  expect(await rest(2)).toEqual([]);
});
