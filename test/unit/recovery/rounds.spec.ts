import { describe, expect, it } from '@jest/globals';
import { StaggeredSweep } from '../../../lib/runtime/staggered-sweep.js';
import { systemClock } from '../../../lib/runtime/clock.js';

const INTERVAL_MS = 9_000;

/** Goes on to whenever the next part is due. */
function parts<T>(
  rounds: StaggeredSweep<T>,
  count: number,
): { readonly at: number; readonly part: T[] }[] {
  return Array.from({ length: count }, () => {
    const at = rounds.nextAt;
    return { at, part: rounds.take(at) ?? [] };
  });
}

describe('Rounds', () => {
  it('take everybody once, in parts of one size, evenly over the interval', () => {
    const all = Array.from({ length: 120 }, (_, i) => i);
    const round = parts(new StaggeredSweep(() => all, INTERVAL_MS, 50, systemClock), 3);
    expect(round.map(({ part }) => part.length)).toEqual([40, 40, 40]);
    expect(round.flatMap(({ part }) => part)).toEqual(all);
    const [first, second, third] = round.map(({ at }) => at);
    expect(third! - second!).toBeCloseTo(second! - first!);
    expect(third! - second!).toBeGreaterThan((INTERVAL_MS / 3) * 0.79);
    expect(third! - second!).toBeLessThanOrEqual(INTERVAL_MS / 3);
  });

  it('have nothing to give before the time', () => {
    const rounds = new StaggeredSweep(() => ['a'], INTERVAL_MS, 50, systemClock);
    expect(rounds.take(rounds.nextAt - 1)).toBeUndefined();
    expect(rounds.take(rounds.nextAt)).toEqual(['a']);
    expect(rounds.take(rounds.nextAt - 1)).toBeUndefined();
  });

  it('take in who has come and leave out who has gone, from the next round on', () => {
    let all = ['a', 'b', 'c'];
    const rounds = new StaggeredSweep(() => all, INTERVAL_MS, 2, systemClock);
    expect(parts(rounds, 1)[0]?.part).toEqual(['a', 'b']);
    all = ['d'];
    expect(parts(rounds, 3).map(({ part }) => part)).toEqual([['c'], ['d'], ['d']]);
    all = [];
    expect(rounds.take(rounds.nextAt)).toBeUndefined();
  });

  it('don’t make up for the time in which nobody asked', () => {
    const rounds = new StaggeredSweep(() => ['a', 'b'], INTERVAL_MS, 1, systemClock);
    const late = rounds.nextAt + 10 * INTERVAL_MS;
    expect(rounds.take(late)).toEqual(['a']);
    expect(rounds.take(late + 1)).toBeUndefined();
    expect(rounds.take(rounds.nextAt)).toEqual(['b']);
  });
});
