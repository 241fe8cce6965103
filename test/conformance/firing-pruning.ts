import { beforeEach, expect, test } from '@jest/globals';
import type { NewFiring, ScheduleColumns } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { startOf, workflow, type TestWorkflow } from './workflows.js';

const HOUR = 3_600_000;
/** Less than any age: all records are old. */
const ANY_AGE = -HOUR;
let number = 0;

export function describeFiringPruning(tested: TestedStore): void {
  let name: string;
  let of: TestWorkflow;
  const past = Date.parse('2001-01-01T00:00:00Z');
  beforeEach(async () => {
    name = `pruned ${++number}`;
    of = workflow([[]], { definitionId: tested.newDefinition() });
    await tested.store.schedules.create(name, columns());
  });

  const columns = (change: Partial<ScheduleColumns> = {}): ScheduleColumns => ({
    workflow: name,
    spec: '{"every":3600000}',
    input: null,
    origin: 'api',
    state: 'active',
    reason: null,
    nextFor: past + 100 * HOUR,
    nextAt: past + 100 * HOUR,
    lastError: null,
    ...change,
  });
  const firing = (hour: number): NewFiring => ({
    scheduledFor: past + hour * HOUR,
    outcome: 'started',
    dueAt: past + hour * HOUR,
    until: null,
    count: 1,
    start: startOf(of, { claims: 0 }),
  });
  const missed = (from: number, to: number): NewFiring => ({
    ...firing(from),
    outcome: 'missed',
    dueAt: null,
    until: past + to * HOUR,
    count: to - from + 1,
    start: null,
  });
  async function fire(firings: readonly NewFiring[]): Promise<void> {
    const known = await tested.store.schedules.get(name);
    await tested.store.schedules.fire([{ ...known!, firings }]);
  }
  const recorded = async (): Promise<unknown[]> => {
    const all = await tested.store.schedules.firings({ schedule: name, before: null, limit: 500 });
    return all
      .toReversed()
      .map(({ scheduledFor, until, outcome, count }) => [
        (scheduledFor - past) / HOUR,
        ((until ?? scheduledFor) - past) / HOUR,
        outcome,
        count,
      ]);
  };
  /** Goes through all pages. Returns the number of records that are gone. */
  async function prune(olderThanMs: number, keep: number): Promise<number> {
    let sum = 0;
    for (let after: string | null = null; ;) {
      const page = await tested.store.schedules.prune({ after, olderThanMs, keep });
      sum += page.deleted;
      if (page.isDone) return sum;
      after = page.next;
    }
  }

  test('one range stands for the records that were deleted', async () => {
    await fire([firing(1), firing(2), missed(3, 5), firing(6), firing(7), firing(8)]);
    expect(await prune(ANY_AGE, 2)).toBeGreaterThanOrEqual(3);
    expect(await recorded()).toEqual([
      [1, 6, 'pruned', 6],
      [7, 7, 'started', 1],
      [8, 8, 'started', 1],
    ]);
    const [range] = await tested.store.schedules.firingsBetween(name, past, past + 4 * HOUR);
    expect(range).toMatchObject({ outcome: 'pruned', executionId: null });
  });

  test('the range grows with the next records that are old', async () => {
    await fire([firing(1), firing(2), firing(3)]);
    await prune(ANY_AGE, 1);
    await fire([firing(4), firing(5)]);
    await prune(ANY_AGE, 1);
    expect(await recorded()).toEqual([
      [1, 4, 'pruned', 4],
      [5, 5, 'started', 1],
    ]);
  });

  test('the range takes records of earlier instants in, which came later', async () => {
    await fire([firing(1), firing(2), firing(3)]);
    await prune(ANY_AGE, 1);
    await tested.store.schedules.backfill({ schedule: name, version: 2, firings: [firing(-5)] });
    await prune(ANY_AGE, 1);
    expect(await recorded()).toEqual([
      [-5, 2, 'pruned', 3],
      [3, 3, 'started', 1],
    ]);
  });

  test('a backfill that has read before the pruning leaves the range, and starts nothing for it', async () => {
    await fire([missed(1, 2), firing(3), firing(4)]);
    await prune(ANY_AGE, 1);
    const late = firing(1);
    await tested.store.schedules.backfill({ schedule: name, version: 2, firings: [late] });
    expect((await tested.store.statuses([late.start!.id])).size).toBe(0);
    expect((await recorded())[0]).toEqual([1, 3, 'pruned', 3]);
  });

  test('records that are not old stay, and so does a single old one', async () => {
    const firings = [firing(1), firing(2), firing(3)];
    await fire(firings);
    await prune(HOUR, 0);
    expect(await recorded()).toHaveLength(3);
    await prune(ANY_AGE, 2);
    expect((await recorded())[0]).toEqual([1, 1, 'started', 1]);
  });

  test('records from the next instant on stay', async () => {
    await tested.store.schedules.change(name, 1, columns({ nextFor: past + 3 * HOUR }), null);
    await fire([firing(1), firing(2), firing(3), firing(4)]);
    await prune(ANY_AGE, 0);
    expect(await recorded()).toEqual([
      [1, 2, 'pruned', 2],
      [3, 3, 'started', 1],
      [4, 4, 'started', 1],
    ]);
  });

  test('a pruning that others have come before deletes nothing more', async () => {
    await fire(Array.from({ length: 20 }, (_, hour) => firing(hour)));
    const sums = await Promise.all([prune(ANY_AGE, 5), prune(ANY_AGE, 5), prune(ANY_AGE, 5)]);
    expect(sums.reduce((sum, deleted) => sum + deleted, 0)).toBeGreaterThanOrEqual(14);
    await prune(ANY_AGE, 5);
    expect((await recorded())[0]).toEqual([0, 14, 'pruned', 15]);
    expect(await recorded()).toHaveLength(6);
  });

  test('more records than one statement deletes, of more schedules than a page has', async () => {
    const firings = Array.from({ length: 90 }, (_, hour) => ({
      ...missed(hour, hour),
      until: null,
    }));
    for (let part = 0; part < 5; part++) {
      const shifted = firings.map((one) => ({
        ...one,
        scheduledFor: one.scheduledFor - (5 - part) * 90 * HOUR,
      }));
      await fire(shifted);
    }
    for (let no = 0; no < 60; no++) await tested.store.schedules.create(`${name}.${no}`, columns());
    await prune(ANY_AGE, 10);
    expect((await recorded())[0]).toEqual([-450, -11, 'pruned', 440]);
    expect(await recorded()).toHaveLength(11);
  });
}
