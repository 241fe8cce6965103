import { describe, expect, it, jest } from '@jest/globals';
import type { MemoryProcess } from './memory-process.js';
import { DAY, HOUR, MINUTE, sceneOfSchedules, START } from './schedule-scene.js';

describe('a backfill', () => {
  const scene = sceneOfSchedules();
  const { boot, stop } = scene;
  const hours = (from: number, to: number) => ({
    from: new Date(START + from * HOUR),
    to: new Date(START + to * HOUR),
  });
  const recorded = async ({ runner }: MemoryProcess): Promise<unknown[]> => {
    const firings = await runner.schedules.firings('s', { limit: 500 });
    return firings
      .toReversed()
      .map(({ scheduledFor, until, outcome }) => [
        (scheduledFor.getTime() - START) / HOUR,
        ((until ?? scheduledFor).getTime() - START) / HOUR,
        outcome,
      ]);
  };

  it('starts an execution for each time, with the time and the one before', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { cron: '0 2 * * *' }, { a: 1 });
    const range = { from: new Date(START - 2 * DAY), to: new Date(START) };
    expect(await schedules.backfill('s', { ...range, dryRun: true })).toEqual({
      matched: 2,
      changed: 0,
    });
    expect(await schedules.backfill('s', range)).toEqual({ matched: 2, changed: 2 });
    await scene.clock.advance(MINUTE);
    const second = new Date(START - DAY + 2 * HOUR);
    const first = new Date(second.getTime() - DAY);
    expect(scene.ran).toEqual([
      { name: 's', scheduledAt: first, previousAt: new Date(first.getTime() - DAY) },
      { name: 's', scheduledAt: second, previousAt: first },
    ]);
    expect(await schedules.get('s')).toMatchObject({ lastFiredFor: undefined });
    // A second call finds them.
    expect(await schedules.backfill('s', range)).toEqual({ matched: 2, changed: 0 });
    await scene.clock.advance(3 * HOUR);
    expect(scene.ran.at(-1)).toEqual({
      name: 's',
      scheduledAt: new Date(START + 2 * HOUR),
      previousAt: null,
    });
  });

  it('makes up for times that were passed over, and leaves the rest of their range', async () => {
    const before = await boot();
    await before.runner.schedules.create('s', 'w', { every: '1h' });
    await stop(before);
    await scene.clock.advance(10 * HOUR + 30 * MINUTE);
    const process = await boot();
    process.engine.schedules.changedElsewhere();
    await scene.clock.advance(MINUTE);
    expect(await recorded(process)).toEqual([
      [1, 9, 'missed'],
      [10, 10, 'caughtUp'],
    ]);
    const { schedules } = process.runner;
    expect(await schedules.backfill('s', hours(4, 5))).toEqual({ matched: 2, changed: 2 });
    expect(await recorded(process)).toEqual([
      [1, 3, 'missed'],
      [4, 4, 'backfilled'],
      [5, 5, 'backfilled'],
      [6, 9, 'missed'],
      [10, 10, 'caughtUp'],
    ]);
    expect(await schedules.backfill('s', hours(-1, 12))).toEqual({ matched: 12, changed: 9 });
    expect(await recorded(process)).toEqual(
      Array.from({ length: 12 }, (_, i) => [i - 1, i - 1, i === 11 ? 'caughtUp' : 'backfilled']),
    );
    await scene.clock.advance(HOUR);
    const times = scene.ran.map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
    expect(await schedules.stats()).toMatchObject({
      fired: 13,
      firedBy: { schedule: 1, catchUp: 1, runNow: 0, backfill: 11 },
      skipped: { overlap: 0, missed: 0, paused: 0 },
      executions: { completed: 13, failed: 0 },
    });
  });

  it('leaves to the schedule what it has still to fire for, also in a pause', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '1h' });
    await scene.clock.advance(HOUR + 1_000);
    await schedules.pause('s');
    await scene.clock.advance(3 * HOUR);
    expect(await schedules.backfill('s', hours(0, 100))).toEqual({ matched: 2, changed: 1 });
    await schedules.resume('s');
    expect(await recorded(process)).toEqual([
      [0, 0, 'backfilled'],
      [1, 1, 'started'],
      [2, 4, 'paused'],
    ]);
    expect(await schedules.backfill('s', hours(2, 4))).toEqual({ matched: 3, changed: 3 });
  });

  it('may skip the times whose execution before still runs', async () => {
    scene.work = () => scene.forever;
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '1h' });
    const range = { ...hours(-3, -1), overlap: 'skip' } as const;
    expect(await schedules.backfill('s', range)).toEqual({ matched: 3, changed: 1 });
    expect(await recorded(process)).toEqual([
      [-3, -3, 'backfilled'],
      [-2, -2, 'skipped'],
      [-1, -1, 'skipped'],
    ]);
    // They can be made later.
    expect(await schedules.backfill('s', hours(-3, -1))).toEqual({ matched: 3, changed: 2 });
  });

  it.each([false, true])(
    'skips the times of later statements too while the execution before runs, in the background: %s',
    async (background) => {
      scene.work = ({ schedule }) => (schedule === undefined ? undefined : scene.forever);
      const { runner } = await boot();
      const { schedules } = runner;
      await schedules.create('s', 'w', { every: '1m' });
      const count = background ? 1_500 : 600;
      const first = new Date(START - count * MINUTE);
      const range = { from: first, to: new Date(START - MINUTE), overlap: 'skip' } as const;
      const reply = await schedules.backfill('s', { ...range, background });
      await scene.clock.advance(MINUTE);
      const sum = 'id' in reply ? (await reply.result()).context : reply;
      expect(sum).toMatchObject({ matched: count, changed: 1 });
      expect(scene.ran).toMatchObject([{ scheduledAt: first }]);
      // A call that is repeated finds the execution.
      const again = { ...range, to: new Date(first.getTime() + 600 * MINUTE) };
      expect(await schedules.backfill('s', again)).toMatchObject({ changed: 0 });
    },
  );

  it('of many times is an execution of its own, with its progress', async () => {
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { every: '1m' });
    const range = { from: new Date(START - 25 * HOUR), to: new Date(START - MINUTE) };
    const operation = await runner.schedules.backfill('s', { ...range, background: true });
    const result = operation.result();
    await scene.clock.advance(MINUTE);
    expect((await result).context).toMatchObject({ matched: 1_500, changed: 1_500 });
    const { schedules } = runner;
    expect(await schedules.stats()).toMatchObject({ firedBy: { backfill: 1_500 } });
    expect(await schedules.backfill('s', { ...range, dryRun: true })).toMatchObject({
      matched: 1_500,
    });
    await expect(schedules.backfill('s', { ...range, background: false })).rejects.toMatchObject({
      argument: 'background',
    });
  });

  it('stops between two statements when it is cancelled', async () => {
    const { runner, store } = await boot();
    await runner.schedules.create('s', 'w', { every: '1m' });
    const range = { from: new Date(START - 25 * HOUR), to: new Date(START - MINUTE) };
    const send = store.schedules.backfill.bind(store.schedules);
    let cancelled: Promise<void> | undefined;
    jest.spyOn(store.schedules, 'backfill').mockImplementation(async (backfill) => {
      const reply = await send(backfill);
      cancelled ??= runner.cancel(operation.id);
      await cancelled;
      return reply;
    });
    const operation = await runner.schedules.backfill('s', { ...range, background: true });
    await scene.clock.advance(MINUTE);
    expect(await runner.get(operation.id)).toMatchObject({ status: 'Cancelled' });
    expect(store.schedules.backfill).toHaveBeenCalledTimes(1);
    expect(await runner.schedules.stats()).toMatchObject({ firedBy: { backfill: 500 } });
  });

  it('goes on when the schedule fires or changes in between, and ends when it is deleted', async () => {
    const { runner, store } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1m' });
    const range = { from: new Date(START - 20 * HOUR), to: new Date(START - MINUTE) };
    const send = store.schedules.backfill.bind(store.schedules);
    const between = [
      () => schedules.pause('s'),
      () => schedules.update('s', { every: '7m' }),
      () => schedules.delete('s'),
    ];
    jest.spyOn(store.schedules, 'backfill').mockImplementation(async (backfill) => {
      await between.shift()?.();
      return send(backfill);
    });
    const operation = await schedules.backfill('s', { ...range, background: true });
    const result = operation.result();
    await scene.clock.advance(MINUTE);
    // The first statement was sent three times, and the third found no schedule.
    expect((await result).context).toMatchObject({ matched: 0, changed: 0 });
    expect(scene.ran).toEqual([]);
  });

  it('refuses what it can not do', async () => {
    const { runner } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1s' });
    const backfill = (options: object) => schedules.backfill('s', { ...hours(-1, 0), ...options });
    await expect(backfill({ from: new Date(START - DAY) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'to',
    });
    await expect(backfill({ to: new Date(START - DAY) })).rejects.toThrow(
      'to must not be before from.',
    );
    await expect(backfill({ from: new Date(Number.NaN) })).rejects.toMatchObject({
      argument: 'from',
    });
    await expect(backfill({ overlap: 'never' as 'allow' })).rejects.toMatchObject({
      argument: 'overlap',
    });
    await expect(backfill({ til: 1 })).rejects.toMatchObject({ argument: 'til' });
    await expect(schedules.backfill('t', hours(-1, 0))).rejects.toMatchObject({
      code: 'UNKNOWN_SCHEDULE',
    });
    await expect(schedules.stats(new Date(Number.NaN))).rejects.toMatchObject({
      argument: 'since',
    });
  });
});
