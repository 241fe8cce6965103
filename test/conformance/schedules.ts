import { beforeEach, expect, test } from '@jest/globals';
import type { NewFiring, ScheduleColumns, ScheduleFire } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { startOf, workflow, type TestWorkflow } from './workflows.js';

const HOUR = 3_600_000;
let number = 0;

export function describeSchedules(tested: TestedStore): void {
  let name: string;
  let of: TestWorkflow;
  let now: number;
  beforeEach(async () => {
    name = `schedule ${++number}`;
    of = workflow([[], [0]], { definitionId: tested.newDefinition() });
    // An instant that is past for the database, whatever its clock.
    now = Date.parse('2001-01-01T00:00:00Z');
  });

  const columns = (change: Partial<ScheduleColumns> = {}): ScheduleColumns => ({
    workflow: name,
    spec: '{"every":3600000}',
    input: '{"a":1}',
    origin: 'api',
    state: 'active',
    reason: null,
    nextFor: now,
    nextAt: now,
    lastError: null,
    ...change,
  });
  const firing = (scheduledFor: number, change: Partial<NewFiring> = {}): NewFiring => ({
    scheduledFor,
    outcome: 'started',
    dueAt: scheduledFor,
    until: null,
    count: 1,
    start: startOf(of, { claims: 0 }),
    ...change,
  });
  const fire = (version: number, firings: readonly NewFiring[]): ScheduleFire => ({
    name,
    version,
    state: 'active',
    reason: null,
    nextFor: now + HOUR,
    nextAt: now + HOUR + 5,
    lastFiredFor: now,
    lastExecutionId: firings.at(-1)?.start?.id ?? null,
    lastError: null,
    firings,
  });
  const firingsOf = async () =>
    tested.store.schedules.firings({ schedule: name, before: null, limit: 10 });
  const exists = async (one: NewFiring): Promise<boolean> =>
    (await tested.store.statuses([one.start!.id])).size > 0;

  test('a firing moves the schedule, is recorded, and starts an execution', async () => {
    const { schedules } = tested.store;
    expect(await schedules.create(name, columns())).toBe(true);
    expect(await schedules.create(name, columns())).toBe(false);
    const [due] = await schedules.due([name], 10);
    expect(due).toMatchObject({ name, version: 1, nextFor: now, lastStatus: null });
    expect(await schedules.due([name], 10, ['another', name])).toEqual([]);
    expect(await schedules.due([name], 10, ['another'])).toHaveLength(1);
    const one = firing(now, { start: startOf(of, { claims: 0, tags: '{"schedule":"x"}' }) });
    expect((await schedules.fire([fire(1, [one])])).fired).toEqual([true]);
    expect(await schedules.get(name)).toMatchObject({
      version: 2,
      nextFor: now + HOUR,
      nextAt: now + HOUR + 5,
      lastFiredFor: now,
      lastExecutionId: one.start!.id,
      input: '{"a":1}',
    });
    expect(await firingsOf()).toMatchObject([
      { scheduledFor: now, outcome: 'started', executionId: one.start!.id, count: 1 },
    ]);
    expect(await tested.statusesOf(one.start!.id)).toEqual(['Ready', 'NotStarted']);
    const [again] = await schedules.due([name], 10);
    expect(again).toMatchObject({ version: 2, lastStatus: 'Pending' });
  });

  test('intervals count from the time that the creation gives', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns({ createdAt: now + 123 }));
    expect(await schedules.get(name)).toMatchObject({ createdAt: now + 123 });
    await schedules.change(name, 1, columns({ createdAt: now + 456 }), null);
    expect(await schedules.get(name)).toMatchObject({ createdAt: now + 123 });
  });

  test('a change that is stored again keeps its time, also when the schedule fires', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns({ updatedAt: now }));
    expect(await schedules.get(name)).toMatchObject({ updatedAt: now });
    await schedules.change(name, 1, columns({ updatedAt: now + 456 }), null);
    await schedules.fire([fire(2, [firing(now)])]);
    expect(await schedules.get(name)).toMatchObject({ updatedAt: now + 456, version: 3 });
    await schedules.change(name, 3, columns(), null);
    expect((await schedules.get(name))?.updatedAt).toBeGreaterThan(now + 456);
  });

  test('of two processes that fire the same, one does', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const both = [firing(now), firing(now)];
    const replies = await Promise.all(both.map((one) => schedules.fire([fire(1, [one])])));
    expect(replies.flatMap(({ fired }) => fired).sort()).toEqual([false, true]);
    expect((await Promise.all(both.map(exists))).sort()).toEqual([false, true]);
    expect(await firingsOf()).toHaveLength(1);
  });

  test('the tasks of an execution that a firing starts have their limits', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const limitKeys = JSON.stringify({ 1: name });
    const one = firing(now, { start: startOf(of, { claims: 0, limitKeys }) });
    await schedules.fire([fire(1, [one])]);
    expect(await tested.taskOf(one.start!.id, 0)).toMatchObject({ limit_key: null });
    expect(await tested.taskOf(one.start!.id, 1)).toMatchObject({ limit_key: name });
  });

  test('the execution of a firing must begin before the time that is given', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const start = startOf(of, { claims: 0, startBefore: { at: null, inMs: HOUR } });
    const limited = firing(now, { start });
    await schedules.fire([fire(1, [limited])]);
    const backfilled = (before: number, one: Partial<NewFiring>): NewFiring =>
      firing(now - before * HOUR, { outcome: 'backfilled', dueAt: null, ...one });
    const late = backfilled(1, {
      start: startOf(of, { claims: 0, startBefore: { at: null, inMs: HOUR } }),
    });
    const unlimited = backfilled(2, {});
    await schedules.backfill({ schedule: name, version: 2, firings: [unlimited, late] });
    for (const one of [limited, late]) {
      const [row] = await tested.store.executions([one.start!.id]);
      expect(row!.startBefore!.getTime() - row!.createdAt.getTime()).toBe(HOUR);
    }
    const [row] = await tested.store.executions([unlimited.start!.id]);
    expect(row).toMatchObject({ startBefore: null });
  });

  test('a firing that is recorded already starts nothing', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const first = firing(now);
    await schedules.fire([fire(1, [first])]);
    const second = firing(now);
    expect((await schedules.fire([fire(2, [second])])).fired).toEqual([true]);
    expect(await exists(second)).toBe(false);
    // The overlap of the next firing depends on the execution that there is.
    expect(await schedules.get(name)).toMatchObject({ lastExecutionId: first.start!.id });
    expect((await schedules.due([name], 10))[0]).toMatchObject({ lastStatus: 'Pending' });
  });

  test.each(['changed', 'deleted'])('a schedule that was %s since fires nothing', async (what) => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    if (what === 'deleted') expect(await schedules.delete(name)).toBe(true);
    else expect(await schedules.change(name, 1, columns({ state: 'paused' }), null)).toBe(true);
    const one = firing(now);
    expect((await schedules.fire([fire(1, [one])])).fired).toEqual([false]);
    expect(await exists(one)).toBe(false);
    expect(await firingsOf()).toEqual([]);
  });

  test('a change of another version does nothing', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    await schedules.fire([fire(1, [firing(now)])]);
    expect(await schedules.change(name, 1, columns({ state: 'paused' }), null)).toBe(false);
    expect(await schedules.get(name)).toMatchObject({ state: 'active', version: 2 });
  });

  test('a change records the firings that it passes over', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns({ state: 'paused', reason: 'holiday' }));
    expect(await schedules.due([name], 10)).toEqual([]);
    const passed = { ...firing(now), outcome: 'paused', until: now + HOUR, count: 2, start: null };
    await schedules.change(name, 1, columns({ nextFor: null, nextAt: null }), passed as NewFiring);
    expect(await firingsOf()).toMatchObject([
      { scheduledFor: now, until: now + HOUR, count: 2, outcome: 'paused', executionId: null },
    ]);
  });

  test('only due, active schedules of the workflows are due', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns({ nextAt: 4_000_000_000_000 }));
    expect(await schedules.due([name], 10)).toEqual([]);
    expect(await schedules.due(['another'], 10)).toEqual([]);
  });

  test('schedules are listed by name, in pages', async () => {
    const { schedules } = tested.store;
    for (const end of ['b', 'a', 'c']) await schedules.create(`${name} ${end}`, columns());
    const query = { workflow: name, state: null, origin: null, limit: 2 };
    const page = await schedules.list({ ...query, after: null });
    expect(page.map((one) => one.name)).toEqual([`${name} a`, `${name} b`]);
    const next = await schedules.list({ ...query, after: `${name} b` });
    expect(next.map((one) => one.name)).toEqual([`${name} c`]);
    expect(await schedules.list({ ...query, after: null, state: 'paused' })).toEqual([]);
    expect(await schedules.list({ ...query, after: null, origin: 'code' })).toEqual([]);
  });

  test('a schedule of an unknown workflow breaks, and is mended by a process that knows it', async () => {
    const { schedules } = tested.store;
    await schedules.create(name, columns());
    const error = { kind: 'unknownWorkflow', message: 'gone', at: now } as const;
    const broken = await schedules.breakUnknown(['another'], 60_000, error);
    expect(broken).toContainEqual({ name, workflow: name });
    expect(await schedules.get(name)).toMatchObject({
      state: 'broken',
      reason: 'gone',
      lastError: error,
      version: 2,
    });
    expect(await schedules.mend([name], ['another'])).toEqual({ mended: 0, locked: [] });
    expect(await schedules.mend([name])).toEqual({ mended: 1, locked: [] });
    expect(await schedules.get(name)).toMatchObject({
      state: 'active',
      reason: null,
      lastError: error,
      nextFor: now,
    });
    await schedules.delete(name);
  });

  test('a due schedule is a wake-up', async () => {
    const { schedules, handle } = tested.store;
    await schedules.create(name, columns());
    const [due] = await tested.behind.session.dueTimes([handle]);
    expect(due).toContainEqual({ kind: 'schedule', inMs: expect.any(Number) });
    expect(due!.find(({ kind }) => kind === 'schedule')!.inMs).toBeLessThan(0);
    const { tenants } = await tested.behind.session.sweep([handle]);
    expect(tenants[0]!.due.map(({ kind }) => kind)).toContain('schedule');
    await schedules.delete(name);
  });
}
