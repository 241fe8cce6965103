import { describe, expect, it } from '@jest/globals';
import { untilTurn, WatchTurns } from '../../../lib/recovery/watch-turns.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { LivingLocks } from '../../../lib/store/port/index.js';

/** The times of the looks of some processes, by the server's clock, as if each looked when its turn comes. */
function looks(processes: number, dead: readonly number[], forMs: number): number[] {
  const times: number[] = [];
  for (let index = 0; index < processes; index++) {
    if (dead.includes(index)) continue;
    for (let time = 1_000_007; time < 1_000_007 + forMs;) {
      time += untilTurn(time, index, processes);
      times.push(time);
    }
  }
  return times.sort((a, b) => a - b);
}

/** The longest time between two looks. */
function longestGap(times: readonly number[]): number {
  return Math.max(...times.slice(1).map((time, i) => time - times[i]!));
}

const COUNTS = [2, 3, 8, 16, 32, 100];

describe('Turns', () => {
  it.each(COUNTS)('of %i processes are five looks a second in all', (count) => {
    const seconds = 200;
    const times = looks(count, [], seconds * 1_000);
    expect(times.length).toBeGreaterThan(seconds * 5 - count);
    expect(times.length).toBeLessThanOrEqual(seconds * 5 + count);
  });

  it.each(COUNTS)('of %i processes leave 400 ms between two looks if one is dead', (count) => {
    for (let dead = 0; dead < Math.min(count, 4); dead++) {
      expect(longestGap(looks(count, [dead], 60_000))).toBeLessThanOrEqual(400);
    }
  });

  it('that two neighbors leave unused are a gap of three', () => {
    expect(longestGap(looks(16, [3, 4], 60_000))).toBeLessThanOrEqual(600);
  });

  it('of a process alone are as rare as of one of two', () => {
    expect(looks(1, [], 60_000).length).toBeLessThanOrEqual(151);
  });

  it('come in the order of the locks, by the server’s clock, whatever the processes’ own', () => {
    const locks = { sessions: new Set<string>(), ofLogin: ['c:3', 'a:1', 'b:2'] };
    const times = ['a:1', 'b:2', 'c:3'].map((own, i) => {
      const clock = new ManualClock();
      const turns = new WatchTurns({ now: () => clock.now() + i * 12_345 });
      turns.looked({ ...locks, at: 6_000_000 } satisfies LivingLocks, own);
      return turns.nextAt - i * 12_345;
    });
    // A cycle of 600 ms begins at that time. The first turn is being used by the look that is told of.
    expect(times).toEqual([700, 300, 500]);
  });

  it('that have passed in a pause are not made up for', () => {
    let now = 0;
    const turns = new WatchTurns({ now: () => now });
    turns.looked({ sessions: new Set(), ofLogin: ['a:1', 'b:2'], at: 0 }, 'a:1');
    now = 3_600_000;
    turns.resume('a:1');
    expect(turns.nextAt).toBeGreaterThan(now);
    expect(turns.nextAt).toBeLessThanOrEqual(now + 500);
  });
});
