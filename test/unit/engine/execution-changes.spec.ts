import { beforeEach, expect, it } from '@jest/globals';
import { ExecutionChanges } from '../../../lib/engine/watch/execution-changes.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let clock: ManualClock;
let told: string[];
let stored: ((id: string) => void) | undefined;
let changes: ExecutionChanges;
beforeEach(() => {
  clock = new ManualClock();
  told = [];
  stored = undefined;
  changes = new ExecutionChanges({
    clock,
    isActive: (id) => id === 'active',
    notifyWatched: (id) => told.push(`watched ${id}`),
    notifyChanged: (id) => told.push(`changed ${id}`),
    listen: (changed) => (stored = changed),
  });
});

it('listens only while something is watched', () => {
  expect(stored).toBeUndefined();
  const calls: string[] = [];
  const end = changes.watch('a', () => calls.push('a'));
  expect(told).toEqual(['watched a']);
  stored?.('a');
  stored?.('b');
  changes.changedElsewhere('a');
  changes.changedElsewhere('b');
  expect(calls).toEqual(['a', 'a']);
  end();
  expect(stored).toBeUndefined();
});

it('tells other processes of changes of what they watch, a few at a time', async () => {
  changes.watchedElsewhere('a');
  for (let n = 0; n < 10; n++) stored?.('a');
  stored?.('b');
  expect(told).toEqual([]);
  await clock.advance(100);
  expect(told).toEqual(['changed a']);
});

it('answers a process that begins to watch what runs here, once', async () => {
  changes.watchedElsewhere('active');
  changes.watchedElsewhere('idle');
  await clock.advance(100);
  changes.watchedElsewhere('active');
  await clock.advance(100);
  expect(told).toEqual(['changed active']);
});

it('forgets what others no longer watch, and keeps a thousand at most', async () => {
  changes.watchedElsewhere('old');
  await clock.advance(90_000);
  stored?.('old');
  await clock.advance(100);
  expect(told).toEqual([]);
  expect(stored).toBeUndefined();
  for (let n = 0; n <= 1_000; n++) changes.watchedElsewhere(String(n));
  stored?.('0');
  stored?.('1');
  await clock.advance(100);
  expect(told).toEqual(['changed 1']);
});
