import { beforeEach, describe, expect, test } from '@jest/globals';
import type { NewFiring, ScheduleColumns } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, outcomeOf, startOf, workflow, type TestWorkflow } from './workflows.js';

const HOUR = 3_600_000;
let number = 0;

/** What is recorded of firings, and firings for times that are past. */
export function describeScheduleReports(tested: TestedStore): void {
  let name: string;
  let definition: string;
  let of: TestWorkflow;
  const past = Date.parse('2001-01-01T00:00:00Z');
  beforeEach(async () => {
    name = `reported ${++number}`;
    definition = tested.newDefinition();
    of = workflow([[]], { definitionId: definition });
  });

  const columns = (change: Partial<ScheduleColumns> = {}): ScheduleColumns => ({
    workflow: name,
    spec: '{"every":3600000}',
    input: null,
    origin: 'api',
    state: 'active',
    reason: null,
    nextFor: past,
    nextAt: past,
    lastError: null,
    ...change,
  });
  const firing = (hour: number, change: Partial<NewFiring> = {}): NewFiring => ({
    scheduledFor: past + hour * HOUR,
    outcome: 'started',
    dueAt: past + hour * HOUR,
    until: null,
    count: 1,
    start: startOf(of, { claims: 0 }),
    ...change,
  });
  const range = (from: number, to: number, change: Partial<NewFiring> = {}): NewFiring =>
    firing(from, {
      outcome: 'missed',
      dueAt: null,
      until: from === to ? null : past + to * HOUR,
      count: to - from + 1,
      start: null,
      ...change,
    });
  const backfilled = (hour: number): NewFiring =>
    firing(hour, { outcome: 'backfilled', dueAt: null });
  /** Makes firings, as they come: each one is the last of the schedule. */
  async function fire(firings: readonly NewFiring[]): Promise<void> {
    const { schedules } = tested.store;
    const known = await schedules.get(name);
    const { fired } = await schedules.fire([
      {
        ...known!,
        lastExecutionId: firings.at(-1)?.start?.id ?? known!.lastExecutionId,
        firings,
      },
    ]);
    expect(fired).toEqual([true]);
  }
  const recorded = async (): Promise<object[]> => {
    const all = await tested.store.schedules.firings({ schedule: name, before: null, limit: 50 });
    return all.toReversed().map(({ scheduledFor, until, outcome, count }) => ({
      hours: [scheduledFor, until ?? scheduledFor].map((at) => (at - past) / HOUR),
      outcome,
      count,
    }));
  };
  const exists = async (one: NewFiring): Promise<boolean> =>
    (await tested.store.statuses([one.start!.id])).size > 0;
  /** Runs the executions, in their order. */
  async function end(firings: readonly NewFiring[], status: 'Completed' | 'Failed'): Promise<void> {
    const worker = tested.worker();
    await worker.claim([definition], 100);
    for (const { start } of firings)
      await worker.complete([
        status === 'Failed' ? failureOf(of, start!.id, 0) : outcomeOf(of, start!.id, 0),
      ]);
  }

  test('a backfill records firings, and starts their executions, without moving the schedule', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const firings = [backfilled(-3), backfilled(-2)];
    const reply = await schedules.backfill({ schedule: name, version: 1, firings });
    expect(reply.fired).toEqual([true]);
    expect(await recorded()).toEqual([
      { hours: [-3, -3], outcome: 'backfilled', count: 1 },
      { hours: [-2, -2], outcome: 'backfilled', count: 1 },
    ]);
    expect(await tested.statusesOf(firings[0]!.start!.id)).toEqual(['Ready']);
    expect(await schedules.get(name)).toMatchObject({
      version: 2,
      nextFor: past,
      lastFiredFor: null,
      lastExecutionId: null,
    });
  });

  test.each(['changed', 'deleted'])(
    'a schedule that was %s since backfills nothing',
    async (what) => {
      const { schedules } = tested.store;
      await schedules.create(name, columns());
      if (what === 'deleted') await schedules.delete(name);
      else await schedules.change(name, 1, columns({ state: 'paused' }), null);
      const one = backfilled(-1);
      const reply = await schedules.backfill({ schedule: name, version: 1, firings: [one] });
      expect(reply.fired).toEqual([false]);
      expect(await exists(one)).toBe(false);
      expect(await recorded()).toEqual([]);
    },
  );

  test('of two backfills of one instant, one starts an execution', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const both = [backfilled(-1), backfilled(-1)];
    const replies = await Promise.all(
      both.map((one) => schedules.backfill({ schedule: name, version: 1, firings: [one] })),
    );
    expect(replies.flatMap(({ fired }) => fired).sort()).toEqual([false, true]);
    expect((await Promise.all(both.map(exists))).sort()).toEqual([false, true]);
  });

  test('an instant that has an execution gets no other', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    await fire([firing(0)]);
    const one = backfilled(0);
    await schedules.backfill({ schedule: name, version: 2, firings: [one, backfilled(-1)] });
    expect(await exists(one)).toBe(false);
    expect(await recorded()).toEqual([
      { hours: [-1, -1], outcome: 'backfilled', count: 1 },
      { hours: [0, 0], outcome: 'started', count: 1 },
    ]);
  });

  test('a record without an execution is replaced', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    await fire([range(0, 5), range(6, 6, { outcome: 'skipped' })]);
    const firings = [range(0, 1), backfilled(2), range(3, 5), backfilled(6)];
    await schedules.backfill({ schedule: name, version: 2, firings });
    expect(await recorded()).toEqual([
      { hours: [0, 1], outcome: 'missed', count: 2 },
      { hours: [2, 2], outcome: 'backfilled', count: 1 },
      { hours: [3, 5], outcome: 'missed', count: 3 },
      { hours: [6, 6], outcome: 'backfilled', count: 1 },
    ]);
    expect(await exists(firings[3]!)).toBe(true);
  });

  test('the records between two instants include a range that begins before them', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    await fire([range(0, 3), firing(4), range(5, 5), range(6, 9)]);
    const between = async (from: number, to: number): Promise<number[]> =>
      (await schedules.firingsBetween(name, past + from * HOUR, past + to * HOUR))
        .map(({ scheduledFor }) => (scheduledFor - past) / HOUR)
        .sort((a, b) => a - b);
    expect(await between(2, 4)).toEqual([0, 4]);
    expect(await between(4, 6)).toEqual([4, 5, 6]);
    expect(await between(8, 20)).toEqual([6]);
    expect(await between(10, 20)).toEqual([]);
  });

  test('statistics count firings by outcome, and what became of their executions', async () => {
    const { schedules } = tested.store;
    const paused = range(7, 8, { outcome: 'paused' });
    await schedules.create(name, columns());
    const started = [firing(0), firing(1, { outcome: 'caughtUp' })];
    await fire(started);
    await fire([range(2, 4), range(5, 5, { outcome: 'skipped' })]);
    await schedules.change(name, 3, columns(), paused);
    await schedules.backfill({ schedule: name, version: 4, firings: [backfilled(-1)] });
    await end(started.slice(0, 1), 'Completed');
    await end(started.slice(1), 'Failed');
    const stats = await schedules.stats({ since: null, schedule: name });
    expect(stats).toMatchObject({
      started: 1,
      caughtUp: 1,
      manual: 0,
      backfilled: 1,
      skipped: 1,
      missed: 3,
      paused: 2,
      unfinished: 1,
      completed: 1,
      failed: 1,
      cancelled: 0,
      deleted: 0,
    });
    expect(stats.medianLagMs).toBeGreaterThan(0);
    expect(stats.p95LagMs).toBe(stats.medianLagMs);
    const trees = [{ id: started[1]!.start!.id, generation: 0, version: null }];
    expect((await tested.store.retention.delete(trees)).deleted).toHaveLength(1);
    expect(await schedules.stats({ since: null, schedule: name })).toMatchObject({
      unfinished: 1,
      completed: 1,
      failed: 1,
      deleted: 1,
    });
    await tested.behind.deleteExecution(started[0]!.start!.id);
    expect(await schedules.stats({ since: null, schedule: name })).toMatchObject({
      completed: 0,
      failed: 1,
      deleted: 2,
    });
    const later = await schedules.stats({ since: 4_000_000_000_000, schedule: name });
    expect(later).toMatchObject({ started: 0, missed: 0, medianLagMs: null, p95LagMs: null });
  });

  describe.each([2, 3])('a schedule with %i executions that failed', (failures) => {
    const isStopped = async (): Promise<boolean> => {
      const due = await tested.store.schedules.due([name], 10);
      return due[0]!.hasFailed;
    };
    const spec = JSON.stringify({ every: HOUR, pauseAfterFailures: failures });
    const all = Array.from({ length: 4 }, (_, hour) => hour);
    let firings: NewFiring[];
    beforeEach(async () => {
      await tested.store.schedules.create(name, columns({ spec }));
      firings = all.map((hour) => firing(hour));
      await fire(firings);
    });

    test('has failed when the last of them have', async () => {
      await end(firings.slice(0, failures - 1), 'Failed');
      expect(await isStopped()).toBe(false);
      await end(firings.slice(failures - 1, failures), 'Failed');
      // The later ones have not ended: they overlap.
      expect(await isStopped()).toBe(true);
      const trees = [{ id: firings[0]!.start!.id, generation: 0, version: null }];
      expect((await tested.store.retention.delete(trees)).deleted).toHaveLength(1);
      expect(await isStopped()).toBe(true);
      await end(firings.slice(failures), 'Completed');
      expect(await isStopped()).toBe(false);
    });

    test('counts anew after a change', async () => {
      await end(firings, 'Failed');
      expect(await isStopped()).toBe(true);
      await tested.store.schedules.change(name, 2, columns({ spec }), null);
      expect(await isStopped()).toBe(false);
    });

    test('does not count those of a backfill', async () => {
      const late = [10, 11, 12].map(backfilled);
      await tested.store.schedules.backfill({ schedule: name, version: 2, firings: late });
      await end(late, 'Failed');
      expect(await isStopped()).toBe(false);
    });
  });
}
