import { describe, expect, it } from '@jest/globals';
import { OpenPoints } from '../../../lib/engine/waits/open-points.js';
import { isSuspension } from '../../../lib/engine/waits/suspension.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const clock = new ManualClock();
const pointsOf = (): OpenPoints => new OpenPoints(clock);
const wait = (points: OpenPoints, wakeAt = Infinity, joins = false): Promise<unknown> =>
  points.add((point) => points.suspend(point, wakeAt, joins)).catch((error: unknown) => error);

describe('OpenPoints', () => {
  it('suspends when all points are waits, until the first of their times', async () => {
    const points = pointsOf();
    const ends = await Promise.all([wait(points, 7_000), wait(points), wait(points, 3_000)]);
    expect(ends.map(isSuspension)).toEqual([true, true, true]);
    expect(points.suspension?.delayMs).toBe(3_000);
    expect(points.isBusy).toBe(false);
  });

  it('waits for children together only if nothing else waits', async () => {
    const joining = pointsOf();
    await Promise.all([wait(joining, Infinity, true), wait(joining, Infinity, true)]);
    expect(joining.suspension?.joins).toBe(2);
    const mixed = pointsOf();
    await Promise.all([wait(mixed, Infinity, true), wait(mixed)]);
    expect(mixed.suspension?.joins).toBe(0);
  });

  it('does not suspend while a point is at work', async () => {
    const points = pointsOf();
    let end = (): void => undefined;
    const step = points.add(() => new Promise<void>((resolve) => (end = resolve)));
    const waiting = wait(points);
    for (let turns = 0; turns < 5; turns++) await clock.advance(0);
    expect(points.suspension).toBeUndefined();
    end();
    await step;
    expect(isSuspension(await waiting)).toBe(true);
  });

  it('suspends although a step is at work, if its work waits', async () => {
    const points = pointsOf();
    const step = points.add((point) => points.within(point, () => wait(points)));
    expect(isSuspension(await step)).toBe(true);
    expect(points.suspension).toBeDefined();
  });

  it('ends the waits of a handler that failed, without a suspension', async () => {
    const points = pointsOf();
    const waiting = wait(points);
    points.failed();
    await points.whenSettled().catch(() => undefined);
    expect(isSuspension(await waiting)).toBe(true);
    expect(points.suspension).toBeUndefined();
  });
});
