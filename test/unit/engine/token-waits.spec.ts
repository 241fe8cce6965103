import { expect, it } from '@jest/globals';
import { TokenWaits } from '../../../lib/engine/limits/token-waits.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const KEY = 'stripe acct_17';
const INTERVAL_MS = 11;
const PROCESSES = 8;

it('A process that got a token looks for the next one at its time, and one that got none later and later', () => {
  const waits = new TokenWaits(new ManualClock());
  expect(waits.stopped(KEY, INTERVAL_MS, 1)).toBe(INTERVAL_MS + 1);
  const pauses = Array.from({ length: 12 }, () => waits.stopped(KEY, INTERVAL_MS, 0));
  expect(pauses[0]).toBeGreaterThanOrEqual(INTERVAL_MS + 20);
  expect(pauses[3]).toBeGreaterThan(pauses[0]! * 5);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(INTERVAL_MS + 1 + 1_000);
  // The first token that it gets may be luck; after some more it is the first again.
  for (let n = 0; n < 8; n++) waits.stopped(KEY, INTERVAL_MS, 1);
  expect(waits.stopped(KEY, INTERVAL_MS, 1)).toBe(INTERVAL_MS + 1);
});

it('A key is known to be empty until its next token, or until it is forgotten', async () => {
  const clock = new ManualClock();
  const waits = new TokenWaits(clock);
  expect(waits.isEmpty(KEY)).toBe(false);
  waits.stopped(KEY, INTERVAL_MS, 0);
  expect(waits.isEmpty(KEY)).toBe(true);
  await clock.advance(INTERVAL_MS);
  expect(waits.isEmpty(KEY)).toBe(false);
  waits.stopped(KEY, 60_000, 1);
  waits.forget(KEY);
  expect(waits.isEmpty(KEY)).toBe(false);
});

it('Of eight processes one takes nearly all tokens, and the others hardly look', async () => {
  const clock = new ManualClock();
  const seconds = 10;
  const end = clock.now() + seconds * 1_000;
  const processes = Array.from({ length: PROCESSES }, () => ({
    waits: new TokenWaits(clock),
    at: 0,
  }));
  let nextToken = clock.now();
  let looks = 0;
  let taken = 0;
  while (clock.now() < end) {
    for (const process of processes) {
      if (process.at > clock.now()) continue;
      looks++;
      const claimed = nextToken <= clock.now() ? 1 : 0;
      // GCRA with a burst: what a late look has left behind is not lost.
      if (claimed > 0) nextToken = Math.max(nextToken, clock.now() - 8 * INTERVAL_MS) + INTERVAL_MS;
      taken += claimed;
      const inMs = Math.max(0, nextToken - clock.now());
      process.at = clock.now() + process.waits.stopped(KEY, inMs, claimed);
    }
    await clock.advance(1);
  }
  const tokens = Math.floor((seconds * 1_000) / INTERVAL_MS);
  expect(taken).toBeGreaterThanOrEqual(tokens * 0.95);
  // Without the pauses: one look of each process for each token.
  expect(looks).toBeLessThan(taken * 2);
});
