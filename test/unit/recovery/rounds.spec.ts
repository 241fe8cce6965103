import { describe, expect, it } from '@jest/globals';
import { StaggeredSweep } from '../../../lib/runtime/staggered-sweep.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const INTERVAL_MS = 9_000;

/** Goes on to whenever the next part is due. */
async function parts<T>(
  clock: ManualClock,
  rounds: StaggeredSweep<T>,
  count: number,
): Promise<{ readonly at: number; readonly part: readonly T[] }[]> {
  const taken: { at: number; part: readonly T[] }[] = [];
  for (let i = 0; i < count; i++) {
    await clock.advance(Math.max(0, rounds.nextAt - clock.now()));
    taken.push({ at: clock.now(), part: rounds.take(clock.now())?.items ?? [] });
  }
  return taken;
}

function roundsOver<T>(clock: ManualClock, all: () => readonly T[], size: number) {
  return new StaggeredSweep(all, INTERVAL_MS, size, clock);
}

describe('Rounds', () => {
  it('take everybody once, in parts of one size, evenly over the interval', async () => {
    const clock = new ManualClock();
    const all = Array.from({ length: 120 }, (_, i) => i);
    const rounds = roundsOver(clock, () => all, 50);
    const taken = await parts(clock, rounds, 9);
    expect(taken.map(({ part }) => part.length)).toEqual(new Array(9).fill(40));
    for (const round of [0, 3, 6]) {
      expect(taken.slice(round, round + 3).flatMap(({ part }) => part)).toEqual(all);
    }
    const pauses = taken.slice(1).map(({ at }, i) => at - taken[i]!.at);
    for (const pause of pauses) {
      expect(pause).toBeGreaterThan((INTERVAL_MS / 3) * 0.49);
      expect(pause).toBeLessThanOrEqual((INTERVAL_MS / 3) * 1.5);
    }
    // Each part once in an interval.
    for (let i = 3; i < taken.length; i++) {
      expect(taken[i]!.at - taken[i - 3]!.at).toBeLessThanOrEqual(INTERVAL_MS);
      expect(taken[i]!.at - taken[i - 3]!.at).toBeGreaterThan(INTERVAL_MS * 0.85);
    }
  });

  it('have nothing to give before the time', () => {
    const clock = new ManualClock();
    const rounds = roundsOver(clock, () => ['a'], 50);
    expect(rounds.take(rounds.nextAt - 1)).toBeUndefined();
    const first = rounds.nextAt;
    expect(rounds.take(first)).toEqual({ items: ['a'], isExtra: false });
    expect(rounds.take(rounds.nextAt - 1)).toBeUndefined();
  });

  it('take in who has come and leave out who has gone', async () => {
    const clock = new ManualClock();
    let all = ['a', 'b', 'c'];
    const rounds = roundsOver(clock, () => all, 2);
    expect((await parts(clock, rounds, 1))[0]?.part).toEqual(['a', 'b']);
    all = ['c', 'd'];
    rounds.changed();
    expect((await parts(clock, rounds, 2)).map(({ part }) => part)).toEqual([
      ['c', 'd'],
      ['c', 'd'],
    ]);
    all = [];
    rounds.changed();
    expect(rounds.take(rounds.nextAt)).toBeUndefined();
  });

  it('don’t make up for the time in which no part was taken', async () => {
    const clock = new ManualClock();
    const rounds = roundsOver(clock, () => ['a', 'b'], 1);
    await clock.advance(10 * INTERVAL_MS);
    expect(rounds.take(clock.now())?.items).toEqual(['a']);
    expect(rounds.take(clock.now() + 1)).toBeUndefined();
    expect(rounds.take(rounds.nextAt)?.items).toEqual(['b']);
  });

  it('of several processes are made by one of them, which the others replace when it stops', async () => {
    const clock = new ManualClock();
    const processes = Array.from({ length: 8 }, () => roundsOver(clock, () => ['a'], 50));
    const taken: { readonly by: number; readonly at: number }[] = [];
    let extra = 0;
    let stopped = -1;
    const runFor = async (ms: number): Promise<void> => {
      for (const end = clock.now() + ms; clock.now() < end; await clock.advance(10)) {
        for (const [by, rounds] of processes.entries()) {
          const part = by === stopped ? undefined : rounds.take(clock.now());
          if (part?.isExtra === true) extra++;
          if (part?.isExtra !== false) continue;
          taken.push({ by, at: clock.now() });
          for (const [other, one] of processes.entries()) if (other !== by) one.confirm(['a']);
        }
      }
    };
    await runFor(20 * INTERVAL_MS);
    expect(new Set(taken.map(({ by }) => by)).size).toBe(1);
    expect(taken.length).toBeLessThanOrEqual(20 / 0.85 + 1);
    // Each of the others has visited the part for itself once in nine intervals or so.
    expect(extra).toBeGreaterThanOrEqual(7);
    expect(extra).toBeLessThanOrEqual(7 * 3);
    stopped = taken[0]!.by;
    await runFor(4 * INTERVAL_MS);
    // Nobody waits longer than an interval, also when the process stops that had made the rounds.
    for (let i = 1; i < taken.length; i++) {
      expect(taken[i]!.at - taken[i - 1]!.at).toBeLessThanOrEqual(INTERVAL_MS + 10);
    }
    expect(new Set(taken.map(({ by }) => by)).size).toBe(2);
  });
});
