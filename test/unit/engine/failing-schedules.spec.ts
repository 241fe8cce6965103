import { describe, expect, it, jest } from '@jest/globals';
import { InvalidContextError } from '../../../lib/errors/index.js';
import { MemoryScheduleStore } from '../../../lib/testing/memory-store/roles/schedules.js';
import { DAY, HOUR, MINUTE, sceneOfSchedules, START } from './schedule-scene.js';

describe('schedules', () => {
  const scene = sceneOfSchedules();
  const { boot, times } = scene;

  it('do not stop a drain when they can not be read', async () => {
    const { engine, store } = await boot();
    let fail: (error: Error) => void = () => undefined;
    jest.spyOn(store.schedules, 'due').mockReturnValue(
      new Promise((_, reject) => {
        fail = reject;
      }),
    );
    const fired = engine.schedules.fireDue();
    await scene.clock.advance(0);
    expect(store.schedules.due).toHaveBeenCalled();
    const drained = engine.drain(0);
    await scene.clock.advance(0);
    fail(new Error('The server is away.'));
    await scene.clock.advance(MINUTE);
    await expect(drained).resolves.toBeUndefined();
    await fired;
  });

  it('pause when too many executions have failed, and go on when resumed', async () => {
    scene.work = () => {
      throw new Error('no');
    };
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h', pauseAfterFailures: 2 });
    await scene.clock.advance(5 * HOUR);
    expect(scene.ran).toHaveLength(2);
    expect(await schedules.get('s')).toMatchObject({
      state: 'paused',
      reason: '2 executions have failed one after the other.',
    });
    await schedules.resume('s');
    await scene.clock.advance(5 * HOUR);
    expect(scene.ran).toHaveLength(4);
  });

  it('pause when overlapping executions have failed', async () => {
    const ends: ((error: Error) => void)[] = [];
    scene.work = () => new Promise((_, reject) => ends.push(reject));
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1m', overlap: 'allow', pauseAfterFailures: 2 });
    await scene.clock.advance(3 * MINUTE + 1_000);
    expect(ends).toHaveLength(3);
    // Each ends when the next one has begun.
    ends[0]!(new Error('no'));
    ends[1]!(new Error('no'));
    await scene.clock.advance(MINUTE);
    expect(ends).toHaveLength(3);
    expect(await schedules.get('s')).toMatchObject({ state: 'paused' });
    ends[2]!(new Error('no'));
    await schedules.resume('s', { catchUp: 'once' });
    await scene.clock.advance(MINUTE);
    // The failures before do not count again.
    expect(ends).toHaveLength(5);
    for (const end of ends) end(new Error('no'));
  });

  it('tell why they could not fire, and forget it when they have fired', async () => {
    const { runner, engine } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' });
    const prepare = jest.spyOn(runner, 'prepareStart');
    prepare.mockRejectedValueOnce(new InvalidContextError('a', 'a', 'is too small'));
    await scene.clock.advance(HOUR + 1_000);
    expect(await schedules.get('s')).toMatchObject({
      state: 'broken',
      reason: expect.stringContaining('is too small'),
      lastError: { kind: 'invalidInput', at: expect.any(Date) },
    });
    expect(scene.ran).toEqual([]);
    // As the next process does at its boot.
    await engine.store.schedules.mend(['w']);
    expect(await schedules.get('s')).toMatchObject({
      state: 'active',
      lastError: { kind: 'invalidInput' },
    });
    engine.schedules.changedElsewhere();
    await scene.clock.advance(1_000);
    expect(times()).toEqual(['2030-01-01T01:00:00.000Z']);
    expect(await schedules.get('s')).toMatchObject({ lastError: undefined });
  });

  it('that are broken and locked at the boot are mended later, and keep no others waiting', async () => {
    const before = await boot();
    for (const name of ['s', 't']) await before.runner.schedules.create(name, 'w', { every: '1h' });
    const prepare = jest.spyOn(before.runner, 'prepareStart');
    prepare.mockRejectedValueOnce(new InvalidContextError('a', 'a', 'is too small'));
    await scene.clock.advance(HOUR + 1_000);
    expect(await before.runner.schedules.get('s')).toMatchObject({ state: 'broken' });
    await scene.stop(before);
    const mend = jest.spyOn(MemoryScheduleStore.prototype, 'mend');
    mend.mockResolvedValueOnce({ mended: 0, locked: ['s'] });
    const { runner, engine } = await boot();
    engine.schedules.changedElsewhere();
    await scene.clock.advance(0);
    expect(await runner.schedules.get('s')).toMatchObject({ state: 'broken' });
    await scene.clock.advance(MINUTE);
    // Only what was locked: the others may be broken for good.
    expect(mend.mock.calls.map(([, names]) => names)).toEqual([null, ['s']]);
    expect(await runner.schedules.get('s')).toMatchObject({ state: 'active' });
    mend.mockRestore();
  });

  it('stay due if their execution can not be prepared for now, and keep no others waiting', async () => {
    const { runner } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' });
    await schedules.create('t', 'w', { every: '1h' });
    const prepare = jest.spyOn(runner, 'prepareStart');
    prepare.mockRejectedValueOnce(new Error('The server is away.'));
    await scene.clock.advance(HOUR + 1_000);
    expect(scene.ran.map(({ name }) => name)).toEqual(['t', 's']);
    expect(await schedules.get('s')).toMatchObject({ state: 'active', lastError: undefined });
  });

  it('do not hide those due behind them, however many of them can not be prepared', async () => {
    const { runner, store } = await boot();
    const { schedules } = runner;
    const names = Array.from({ length: 301 }, (_, n) => `bad ${n}`);
    for (const name of names) await schedules.create(name, 'w', { every: '2m' }, { bad: true });
    await scene.clock.advance(1_000);
    await schedules.create('good', 'w', { every: '2m' });
    const prepare = runner.prepareStart.bind(runner);
    let isAway = true;
    jest
      .spyOn(runner, 'prepareStart')
      .mockImplementation((workflow, input, options) =>
        isAway && Object.hasOwn(input ?? {}, 'bad')
          ? Promise.reject(new Error('The registry is away.'))
          : prepare(workflow, input, options),
      );
    const fires = jest.spyOn(store.schedules, 'fire');
    await scene.clock.advance(2 * MINUTE + 1_000);
    expect(scene.ran.map(({ name }) => name)).toEqual(['good']);
    expect(fires).toHaveBeenCalledTimes(1);
    expect(await schedules.get('bad 0')).toMatchObject({ state: 'active', lastError: undefined });
    isAway = false;
    await scene.clock.advance(MINUTE);
    expect(new Set(scene.ran.map(({ name }) => name)).size).toBe(302);
  });

  it('do nothing when their window has ended', async () => {
    const { runner, store } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h', endAt: new Date(START + 2 * HOUR) });
    const ended = { every: '1h', startAt: new Date(START - DAY), endAt: new Date(START - HOUR) };
    expect(await schedules.create('t', 'w', ended)).toMatchObject({ state: 'ended' });
    await scene.clock.advance(2 * HOUR + 1_000);
    expect(scene.ran).toHaveLength(2);
    expect(await schedules.get('s')).toMatchObject({ state: 'ended', nextAt: undefined });
    const looks = jest.spyOn(store.schedules, 'due');
    const fires = jest.spyOn(store.schedules, 'fire');
    await scene.clock.advance(DAY);
    expect(looks).not.toHaveBeenCalled();
    expect(fires).not.toHaveBeenCalled();
  });
});
