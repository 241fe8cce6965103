import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { columnsOf, scheduleColumns } from '../../../lib/engine/schedules/schedule-columns.js';
import type { MemoryProcess } from './memory-process.js';
import { HOUR, MINUTE, sceneOfSchedules, START } from './schedule-scene.js';

describe('a schedule', () => {
  const scene = sceneOfSchedules();
  const { boot, times } = scene;
  afterEach(() => void jest.restoreAllMocks());

  /** Looks at the schedules as the sweeps of a process do. */
  async function sweep(process: MemoryProcess, minutes: number): Promise<void> {
    for (let quarter = 0; quarter < minutes * 4; quarter++) {
      process.engine.schedules.changedElsewhere();
      await scene.clock.advance(MINUTE / 4);
    }
  }

  function warnings(name: string): unknown[][] {
    return jest
      .mocked(Logger.prototype.warn)
      .mock.calls.filter(([text]) => String(text).includes(`schedule "${name}"`));
  }

  it('is broken if its time zone does not exist any more, until it has another one', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { cron: '@hourly', timezone: 'Europe/Lisbon' });
    const { store } = process.engine;
    const known = (await store.schedules.get('s'))!;
    const spec = JSON.stringify({ cron: '@hourly', timezone: 'Europe/Atlantis' });
    await store.schedules.change('s', known.version, { ...columnsOf(known), spec }, null);
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const fires = jest.spyOn(store.schedules, 'fire');
    await scene.clock.advance(HOUR + 1_000);
    await sweep(process, 5);
    expect(await schedules.get('s')).toMatchObject({
      state: 'broken',
      reason: expect.stringContaining('timezone must be an IANA time zone'),
      lastError: { kind: 'invalidSpec', at: expect.any(Date) },
    });
    expect(fires).toHaveBeenCalledTimes(1);
    expect(warnings('s')).toEqual([[expect.stringContaining('is broken: timezone')]]);
    const argument = 'timezone';
    await expect(schedules.resume('s')).rejects.toMatchObject({ argument });
    const range = { from: new Date(START - HOUR), to: new Date(START) };
    await expect(schedules.backfill('s', range)).rejects.toMatchObject({ argument });
    await schedules.update('s', { timezone: 'UTC' });
    await scene.clock.advance(HOUR);
    expect(times()).toEqual(['2030-01-01T02:00:00.000Z']);
    expect(await schedules.get('s')).toMatchObject({ state: 'active', lastError: undefined });
  });

  it('whose workflow no process has is looked for once a minute, and told once', async () => {
    const process = await boot();
    const { store } = process.engine;
    const wanted = { name: 's', spec: { every: '1h' }, workflow: 'gone', input: null } as const;
    await store.schedules.create('s', scheduleColumns({ ...wanted, origin: 'api' }, START));
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const looks = jest.spyOn(store.schedules, 'breakUnknown');
    const fires = jest.spyOn(store.schedules, 'fire');
    await scene.clock.advance(HOUR);
    await sweep(process, 1);
    // Its process may come within two minutes, as in a deployment.
    expect(await process.runner.schedules.get('s')).toMatchObject({ state: 'active' });
    await sweep(process, 9);
    expect(await process.runner.schedules.get('s')).toMatchObject({
      state: 'broken',
      lastError: { kind: 'unknownWorkflow', message: expect.any(String) },
    });
    expect(looks.mock.calls.length).toBeLessThanOrEqual(10);
    expect(fires).not.toHaveBeenCalled();
    expect(warnings('s')).toHaveLength(1);
  });

  it('tells what came of its firings', async () => {
    const { runner } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' });
    await scene.clock.advance(3 * HOUR + 1_000);
    await schedules.runNow('s');
    await schedules.pause('s');
    await scene.clock.advance(2 * HOUR);
    await schedules.resume('s');
    await scene.clock.advance(2 * HOUR);
    scene.work = () => scene.forever;
    const range = { from: new Date(START - 3 * HOUR), to: new Date(START - HOUR) };
    await schedules.backfill('s', { ...range, overlap: 'skip' });
    await scene.clock.advance(1_000);
    const all = await schedules.stats();
    expect(all).toEqual({
      fired: 7,
      firedBy: { schedule: 5, catchUp: 0, runNow: 1, backfill: 1 },
      skipped: { overlap: 2, missed: 0, paused: 2 },
      lagMs: { median: expect.any(Number), p95: expect.any(Number) },
      executions: { unfinished: 1, completed: 6, failed: 0, cancelled: 0, deleted: 0 },
    });
    expect(await schedules.stats(undefined, { schedule: 's' })).toEqual(all);
    const none = { fired: 0, lagMs: undefined, skipped: { overlap: 0, missed: 0, paused: 0 } };
    expect(await schedules.stats(undefined, { schedule: 't' })).toMatchObject(none);
    expect(await schedules.stats(new Date(START + 24 * HOUR))).toMatchObject(none);
  });
});
