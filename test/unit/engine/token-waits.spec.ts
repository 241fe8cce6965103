import { expect, it } from '@jest/globals';
import { TokenWaits } from '../../../lib/engine/limits/token-waits.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const KEY = 'stripe acct_17';
const INTERVAL_MS = 11;
const PROCESSES = 8;

const RATE = { everyMs: INTERVAL_MS, burst: 9 };
const stopped = (waits: TokenWaits, claimed: number, tokenInMs = INTERVAL_MS) =>
  waits.stopped(KEY, { claimed, tokenInMs, rate: RATE });

it('A process that gets the tokens looks for the next one at its time, and one that gets none later and later', async () => {
  const clock = new ManualClock();
  const waits = new TokenWaits(clock);
  expect(stopped(waits, 1)).toBe(INTERVAL_MS + 1);
  const pauses: number[] = [];
  for (let n = 0; n < 12; n++) {
    await clock.advance(INTERVAL_MS);
    pauses.push(stopped(waits, 0));
  }
  expect(pauses[0]).toBeGreaterThanOrEqual(INTERVAL_MS + 20);
  expect(pauses[3]).toBeGreaterThan(pauses[0]! * 5);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(INTERVAL_MS + 1 + 1_000);
  for (let n = 0; n < 8; n++) stopped(waits, 9);
  expect(stopped(waits, 9)).toBe(INTERVAL_MS + 1);
});

it('A process that gets a few of the tokens that came since its last look falls behind', async () => {
  const clock = new ManualClock();
  const waits = new TokenWaits(clock);
  stopped(waits, 1);
  await clock.advance(10 * INTERVAL_MS);
  expect(stopped(waits, 4)).toBeGreaterThan(INTERVAL_MS + 1);
  await clock.advance(10 * INTERVAL_MS);
  expect(stopped(waits, 5)).toBe(INTERVAL_MS + 1);
});

it('A look before the time of the token is not the loss of a token', async () => {
  const clock = new ManualClock();
  const waits = new TokenWaits(clock);
  stopped(waits, 1);
  await clock.advance(INTERVAL_MS - 4);
  expect(stopped(waits, 0, 4)).toBe(4 + 1);
  await clock.advance(4);
  expect(stopped(waits, 0)).toBeGreaterThan(INTERVAL_MS + 1);
});

it('A key is known to be empty until its next token, or until it is forgotten', async () => {
  const clock = new ManualClock();
  const waits = new TokenWaits(clock);
  expect([waits.isEmpty(KEY), waits.isShort(KEY)]).toEqual([false, false]);
  stopped(waits, 0);
  expect([waits.isEmpty(KEY), waits.isShort(KEY)]).toEqual([true, true]);
  await clock.advance(INTERVAL_MS);
  expect([waits.isEmpty(KEY), waits.isShort(KEY)]).toEqual([false, true]);
  stopped(waits, 1, 60_000);
  waits.forget(KEY);
  expect([waits.isEmpty(KEY), waits.isShort(KEY)]).toEqual([false, false]);
});

/** Processes that look for tokens for ten seconds, each a little late: how often they look, and what they get. */
async function compete(lateMs: number) {
  const clock = new ManualClock();
  const end = clock.now() + 10_000;
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
      // GCRA with a burst: what a late look has left behind is not lost.
      nextToken = Math.max(nextToken, clock.now() - (RATE.burst - 1) * INTERVAL_MS);
      let claimed = 0;
      for (; nextToken <= clock.now(); nextToken += INTERVAL_MS) claimed++;
      taken += claimed;
      const tokenInMs = nextToken - clock.now();
      process.at = clock.now() + stopped(process.waits, claimed, tokenInMs) + lateMs;
    }
    await clock.advance(1);
  }
  return { looks, taken, tokens: Math.floor(10_000 / INTERVAL_MS) };
}

// Without the pauses there is one look of each process for each token.
it.each([0, 15, 30])(
  'Of eight processes that are %s ms late one takes nearly all tokens, and the others hardly look',
  async (lateMs) => {
    const { looks, taken, tokens } = await compete(lateMs);
    expect(taken).toBeGreaterThanOrEqual(tokens * 0.95);
    expect(looks).toBeLessThan(tokens * 1.5);
  },
);

it('A key is known to be empty for a second: its rate may have been set since', async () => {
  const clock = new ManualClock();
  const waits = new TokenWaits(clock);
  stopped(waits, 1, 3_600_000);
  await clock.advance(999);
  expect(waits.isEmpty(KEY)).toBe(true);
  await clock.advance(1);
  expect(waits.isEmpty(KEY)).toBe(false);
  stopped(waits, 0, 3_599_000);
  expect(waits.isEmpty(KEY)).toBe(true);
});
