import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  declareSchedules,
  type ScheduleOptions,
} from '../../../lib/discovery/schedule.decorator.js';
import type { CatchUp } from '../../../lib/workflow/schedule/index.js';
import { DAY, HOUR, MINUTE, sceneOfSchedules, START } from './schedule-scene.js';

describe('schedules', () => {
  const scene = sceneOfSchedules();
  const { boot, stop, times, outcomes } = scene;

  it('start an execution for each instant, with the instant and the one before', async () => {
    const { runner } = await boot();
    const created = await runner.schedules.create('s', 'w', { cron: '0 2 * * *' }, { a: 1 });
    expect(created).toMatchObject({ state: 'active', nextAt: new Date(START + 2 * HOUR) });
    await scene.clock.advance(3 * DAY);
    expect(scene.ran).toEqual([
      { name: 's', scheduledAt: new Date(START + 2 * HOUR), previousAt: null },
      ...[1, 2].map((day) => ({
        name: 's',
        scheduledAt: new Date(START + day * DAY + 2 * HOUR),
        previousAt: new Date(START + (day - 1) * DAY + 2 * HOUR),
      })),
    ]);
    const { items } = await runner.list({ tags: { schedule: 's' } });
    expect(items).toHaveLength(3);
    expect((await runner.get(items[0]!.id))!.context).toMatchObject({ a: 1 });
  });

  it('fire at local times, where the clock changes', async () => {
    scene.startsAt(new Date('2030-03-30T23:00:00Z'));
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { cron: '30 1 * * *', timezone: 'Europe/Lisbon' });
    await scene.clock.advance(26 * HOUR);
    expect(times()).toEqual(['2030-03-31T01:00:00.000Z', '2030-04-01T00:30:00.000Z']);
  });

  it('have one execution for each instant in eight processes', async () => {
    const [first] = await Promise.all(Array.from({ length: 8 }, () => boot()));
    await first!.runner.schedules.create('s', 'w', { every: '10s' });
    await scene.clock.advance(10 * MINUTE + 1_000);
    expect(new Set(times()).size).toBe(60);
    expect(scene.ran).toHaveLength(60);
  });

  it('are fired by the others when the process that made them is gone', async () => {
    const maker = await boot();
    await boot();
    await maker.runner.schedules.create('s', 'w', { every: '1h' });
    await stop(maker);
    await scene.clock.advance(3 * HOUR + 1_000);
    expect(scene.ran).toHaveLength(3);
  });

  it('catch up with the latest after an outage, and record what they pass over', async () => {
    const before = await boot();
    await before.runner.schedules.create('s', 'w', { every: '1h' });
    await stop(before);
    await scene.clock.advance(10 * HOUR + 30 * MINUTE);
    const after = await boot();
    // As the sweep of a boot does.
    after.engine.schedules.changedElsewhere();
    await scene.clock.advance(MINUTE);
    expect(times()).toEqual(['2030-01-01T10:00:00.000Z']);
    expect(await after.runner.schedules.firings('s')).toMatchObject([
      { outcome: 'caughtUp', scheduledFor: new Date(START + 10 * HOUR) },
      {
        outcome: 'missed',
        scheduledFor: new Date(START + HOUR),
        until: new Date(START + 9 * HOUR),
        count: 9,
      },
    ]);
  });

  it('skip a firing while the execution before runs', async () => {
    let end: () => void = () => undefined;
    scene.work = () => new Promise<void>((resolve) => (end = resolve));
    const process = await boot();
    await process.runner.schedules.create('s', 'w', { every: '1m' });
    await scene.clock.advance(3 * MINUTE + 1_000);
    expect(await outcomes(process)).toEqual(['skipped', 'skipped', 'started']);
    scene.work = () => undefined;
    end();
    await scene.clock.advance(MINUTE);
    expect((await outcomes(process))[0]).toBe('started');
    expect(scene.ran.map(({ previousAt }) => previousAt)).toEqual([null, new Date(START + MINUTE)]);
  });

  it('overlap if they may', async () => {
    scene.work = () => scene.forever;
    const process = await boot();
    await process.runner.schedules.create('s', 'w', { every: '1m', overlap: 'allow' });
    await scene.clock.advance(3 * MINUTE + 1_000);
    expect(scene.ran).toHaveLength(3);
  });

  it('pass over the firings of a pause, and record them', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '1h' });
    await schedules.pause('s', { reason: 'holiday' });
    await scene.clock.advance(5 * HOUR);
    expect(scene.ran).toEqual([]);
    expect(await schedules.get('s')).toMatchObject({ state: 'paused', reason: 'holiday' });
    await schedules.resume('s');
    await scene.clock.advance(HOUR + 1_000);
    expect(times()).toEqual(['2030-01-01T06:00:00.000Z']);
    expect(await schedules.firings('s')).toMatchObject([
      { outcome: 'started' },
      { outcome: 'paused', count: 5 },
    ]);
  });

  it('make the firings of a pause that the caller asks for', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h', catchUp: { all: 2 } });
    await schedules.pause('s');
    await scene.clock.advance(5 * HOUR + MINUTE);
    await schedules.resume('s', { catchUp: { all: 3 } });
    await scene.clock.advance(1_000);
    // The policy of the call, and the overlap of the schedule.
    expect((await schedules.firings('s')).map(({ outcome, count }) => [outcome, count])).toEqual([
      ['skipped', 1],
      ['skipped', 1],
      ['caughtUp', 1],
      ['paused', 2],
    ]);
    expect(await schedules.get('s')).toMatchObject({ state: 'active', reason: undefined });
    await expect(schedules.resume('s', { catchUp: 'twice' as CatchUp })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'catchUp',
    });
  });

  it('never fire for the past of a new expression', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { cron: '0 0 1 1 *' });
    await scene.clock.advance(10 * HOUR);
    await schedules.update('s', { every: '1h', aligned: true });
    await scene.clock.advance(1_000);
    expect(scene.ran).toEqual([]);
    await scene.clock.advance(HOUR);
    expect(times()).toEqual(['2030-01-01T11:00:00.000Z']);
  });

  it('end with their last instant', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { at: new Date(START + HOUR) });
    await scene.clock.advance(2 * DAY);
    expect(scene.ran).toHaveLength(1);
    expect(await schedules.get('s')).toMatchObject({ state: 'ended', nextAt: undefined });
  });

  it('start an execution now, which the next firing does not overlap', async () => {
    scene.work = () => scene.forever;
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1m' });
    const { id } = await schedules.runNow('s');
    expect(await schedules.get('s')).toMatchObject({ lastExecutionId: id });
    await scene.clock.advance(MINUTE + 1_000);
    expect((await schedules.firings('s')).map(({ outcome }) => outcome)).toEqual([
      'skipped',
      'manual',
    ]);
  });

  it('fire nothing after a deletion', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h' });
    await schedules.delete('s');
    await scene.clock.advance(DAY);
    expect(scene.ran).toEqual([]);
    expect(await schedules.get('s')).toBeNull();
    await expect(schedules.pause('s')).rejects.toMatchObject({ code: 'UNKNOWN_SCHEDULE' });
  });

  it('refuse an invalid spec with its field', async () => {
    const { schedules } = (await boot()).runner;
    await expect(
      schedules.create('s', 'w', { cron: '0 9 * * *', timezone: 'Mars/Base' }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument: 'timezone' });
    expect(() => schedules.preview({ every: 'x' }, 3)).toThrow('every must be');
    expect(schedules.preview({ cron: '@daily' }, 2)).toEqual([
      new Date(START + DAY),
      new Date(START + 2 * DAY),
    ]);
  });

  it('refuse a filter, a date and options that are not valid, with the name of the field', async () => {
    const { schedules } = (await boot()).runner;
    const refused = (argument: string) => ({ code: 'INVALID_ARGUMENT', argument });
    for (const [argument, value] of [
      ['state', 'activ'],
      ['origin', 'file'],
      ['workflow', 7],
      ['after', 5],
      ['limit', 0],
      ['stat', 'active'],
    ] as const) {
      await expect(schedules.list({ [argument]: value })).rejects.toMatchObject(refused(argument));
    }
    for (const before of [new Date(Number.NaN), '2030-01-01', Date.parse('2030-01-01')] as Date[]) {
      await expect(schedules.firings('s', { before })).rejects.toMatchObject(refused('before'));
      await expect(schedules.stats(before)).rejects.toMatchObject(refused('since'));
      const to = new Date(START);
      await expect(schedules.backfill('s', { from: before, to })).rejects.toMatchObject(
        refused('from'),
      );
    }
    // PostgreSQL reads the text of such a year differently.
    const to = new Date('+012345-01-01T00:00:00Z');
    await expect(schedules.stats(to)).rejects.toThrow('since must be a valid Date, of the years');
    await expect(schedules.backfill('s', { from: new Date(START), to })).rejects.toMatchObject(
      refused('to'),
    );
    await expect(schedules.stats(undefined, { schedule: '' })).rejects.toMatchObject(
      refused('schedule'),
    );
    await expect(schedules.pause('s', 'holiday' as never)).rejects.toMatchObject(
      refused('options'),
    );
    await schedules.create('s', 'w', { every: '1h' });
    expect(await schedules.list({ workflow: 'w', state: 'active', origin: 'api' })).toHaveLength(1);
  });

  describe('of the code', () => {
    const declare = (every: string) => declareSchedules('w', 'w', [{ name: 's', every }]).schedules;

    it('are made at boot, changed by another release, and paused when the code has lost them', async () => {
      const first = await boot(declare('1h'));
      await scene.clock.advance(HOUR + 1_000);
      expect(scene.ran).toHaveLength(1);
      await first.runner.schedules.create('by hand', 'w', { at: new Date(START + 365 * DAY) });
      await stop(first);
      const second = await boot(declare('2h'));
      await scene.clock.advance(1_000);
      expect(await second.runner.schedules.get('s')).toMatchObject({ spec: { every: '2h' } });
      await stop(second);
      const third = await boot(declare('2h').map((one) => ({ ...one, name: 'other' })));
      await scene.clock.advance(1_000);
      expect(await third.runner.schedules.get('s')).toMatchObject({ state: 'paused' });
      expect(await third.runner.schedules.get('by hand')).toMatchObject({ state: 'active' });
      await stop(third);
      const fourth = await boot(declare('2h'));
      await scene.clock.advance(1_000);
      expect(await fourth.runner.schedules.get('s')).toMatchObject({ state: 'active' });
    });

    it('are left to the next look when others change them all the time', async () => {
      const first = await boot(declare('1h'));
      await scene.clock.advance(1_000);
      await stop(first);
      const second = await boot(declare('2h'));
      const change = jest.spyOn(second.store.schedules, 'change').mockResolvedValue(false);
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
      const looked = second.engine.schedules.fireDue();
      await scene.clock.advance(MINUTE);
      await looked;
      expect(warn).toHaveBeenCalledWith(expect.stringContaining('is being changed all the time'));
      change.mockRestore();
      warn.mockRestore();
      await second.engine.schedules.fireDue();
      expect(await second.runner.schedules.get('s')).toMatchObject({ spec: { every: '2h' } });
    });

    it('keep an overdue firing if they are the same', async () => {
      await stop(await boot(declare('1h')));
      await scene.clock.advance(90 * MINUTE);
      await boot(declare('1h'));
      await scene.clock.advance(1_000);
      // The first boot was too short to make it.
      expect(times()).toEqual([]);
      await scene.clock.advance(HOUR);
      await stop(scene.open[0]!);
      await scene.clock.advance(HOUR);
      scene.ran = [];
      await boot(declare('1h'));
      await scene.clock.advance(1_000);
      expect(scene.ran).toHaveLength(1);
    });

    it.each<[string, ScheduleOptions['tenants']]>([
      ['a function', (tenant) => tenant !== 't'],
      ['a list', ['others']],
    ])('are left to other tenants by %s', async (_, tenants) => {
      const { schedules } = declareSchedules('w', 'w', [{ every: '1h', tenants: tenants! }]);
      const process = await boot(schedules);
      await scene.clock.advance(2 * HOUR);
      expect(await process.runner.schedules.list()).toEqual([]);
    });

    it('follow a tenant from one list to another under one name', async () => {
      const lists = (first: string[], second: string[]) =>
        declareSchedules('w', 'w', [
          { every: '1h', tenants: first },
          { every: '2h', tenants: second },
        ]).schedules;
      await stop(await boot(lists(['t'], ['others'])));
      const second = await boot(lists(['others'], ['t']));
      await scene.clock.advance(1_000);
      expect(await second.runner.schedules.list()).toMatchObject([
        { name: 'w', spec: { every: '2h' }, state: 'active' },
      ]);
    });
  });
});
