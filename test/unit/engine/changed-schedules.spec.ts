import { Logger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { InvalidContextError } from '../../../lib/errors/index.js';
import type { ScheduleChange } from '../../../lib/runner/schedule-options.js';
import { HOUR, MINUTE, sceneOfSchedules } from './schedule-scene.js';

describe('schedules that are changed', () => {
  const scene = sceneOfSchedules();
  const { boot } = scene;

  it('keep the fields that are not given', async () => {
    const { schedules } = (await boot()).runner;
    const spec = { every: '1h', jitter: '1m', overlap: 'allow', pauseAfterFailures: 3 } as const;
    await schedules.create('s', 'w', spec, { a: 1 });
    await scene.clock.advance(30 * MINUTE);
    const changed = await schedules.update('s', { jitter: '2m' });
    expect(changed).toMatchObject({ spec: { ...spec, jitter: '2m' }, input: { a: 1 } });
    expect(await schedules.update('s', { input: { a: 2 } })).toMatchObject({
      spec: { ...spec, jitter: '2m' },
      input: { a: 2 },
      nextAt: changed.nextAt,
    });
    expect((await schedules.update('s', { pauseAfterFailures: undefined })).spec).toEqual({
      every: '1h',
      jitter: '2m',
      overlap: 'allow',
    });
  });

  it('lose what belongs to another kind of rule', async () => {
    const { schedules } = (await boot()).runner;
    const cron = { cron: '0 2 * * *', timezone: 'Europe/Lisbon', overlap: 'allow' } as const;
    await schedules.create('s', 'w', cron);
    expect((await schedules.update('s', { cron: '0 3 * * *' })).spec).toEqual({
      ...cron,
      cron: '0 3 * * *',
    });
    const every = await schedules.update('s', { every: '1h', aligned: true });
    expect(every.spec).toEqual({ every: '1h', aligned: true, overlap: 'allow' });
    expect((await schedules.update('s', { every: '2h' })).spec).toMatchObject({ aligned: true });
    const at = new Date(scene.clock.wallTime() + HOUR);
    expect((await schedules.update('s', { at })).spec).toEqual({ at, overlap: 'allow' });
  });

  it.each([undefined, null, 5, []])('refuse the change %p', async (change) => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h' });
    await expect(schedules.update('s', change as ScheduleChange)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'change',
    });
  });

  it('refuse an input that the workflow refuses, and stay as they are', async () => {
    const { runner } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' }, { a: 1 });
    await expect(schedules.update('s', { input: { at: 1n } })).rejects.toBeInstanceOf(
      InvalidContextError,
    );
    expect(await schedules.get('s')).toMatchObject({ state: 'active', input: { a: 1 } });
  });

  it('cancel executions that have not begun before startBefore', async () => {
    scene.work = () => scene.forever;
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '2m', overlap: 'queue', startBefore: '1m' });
    await scene.clock.advance(4 * MINUTE + 1_000);
    const { items: waiting } = await process.runner.list({ status: 'Pending' });
    expect(waiting).toHaveLength(1);
    const startedAt = waiting[0]!.createdAt.getTime();
    expect(waiting[0]!.startBefore).toEqual(new Date(startedAt + MINUTE));
    await scene.clock.advance(MINUTE + 1_000);
    expect(await process.runner.list({ status: 'Pending' })).toMatchObject({ items: [] });
    expect((await process.runner.list({ status: 'Cancelled' })).items).toHaveLength(1);
    expect(scene.ran).toHaveLength(1);
    // It waits for its turn too.
    const { id } = await schedules.runNow('s');
    expect(await process.runner.get(id)).toMatchObject({ startBefore: expect.any(Date) });
    await expect(schedules.update('s', { startBefore: 0 })).rejects.toMatchObject({
      argument: 'startBefore',
    });
  });

  it('tell once in the log that their input is not valid any more', async () => {
    const { runner } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' });
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    jest.spyOn(runner, 'prepareStart').mockRejectedValue(new InvalidContextError('a', 'a', 'is 5'));
    await scene.clock.advance(12 * HOUR);
    const told = warn.mock.calls.filter(([text]) => String(text).includes('schedule "s"'));
    expect(told).toEqual([[expect.stringContaining('is broken')]]);
    expect(await schedules.get('s')).toMatchObject({ lastError: { kind: 'invalidInput' } });
    warn.mockRestore();
  });
});
