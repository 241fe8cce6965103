import { describe, expect, it, jest } from '@jest/globals';
import type { ScheduleStore } from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import type { MemoryProcess } from './memory-process.js';
import { HOUR, MINUTE, sceneOfSchedules } from './schedule-scene.js';

/** The next firing meets a connection that breaks. */
function loseReply(store: Pick<ScheduleStore, 'fire'>, when: 'before' | 'after'): void {
  const fire = store.fire.bind(store);
  const lost = new MemoryFailure('connection', 'The connection is lost.', { mayBeWritten: true });
  jest.spyOn(store, 'fire').mockImplementationOnce(async (fires) => {
    if (when === 'after') await fire(fires);
    throw lost;
  });
}

describe('schedules', () => {
  const scene = sceneOfSchedules();
  const { boot, outcomes } = scene;

  describe('run now', () => {
    const manual = async (process: MemoryProcess) =>
      (await outcomes(process)).filter((outcome) => outcome === 'manual');

    it.each(['before', 'after'] as const)(
      'once, if the connection is lost %s the firing is stored',
      async (when) => {
        const process = await boot();
        const { schedules } = process.runner;
        await schedules.create('s', 'w', { every: '1h' });
        loseReply(process.store.schedules, when);
        const handle = schedules.runNow('s');
        await scene.clock.advance(MINUTE);
        expect(await process.statusOf((await handle).id)).toBe('Completed');
        expect(scene.ran).toHaveLength(1);
        expect(await manual(process)).toHaveLength(1);
      },
    );

    it('once, if the connection is lost when the execution is looked up', async () => {
      const process = await boot();
      const { schedules } = process.runner;
      await schedules.create('s', 'w', { every: '1h' });
      const lost = new MemoryFailure('connection', 'The connection is lost.', {
        mayBeWritten: false,
      });
      jest.spyOn(process.store, 'statuses').mockRejectedValueOnce(lost);
      const handle = schedules.runNow('s');
      await scene.clock.advance(MINUTE);
      expect(await process.statusOf((await handle).id)).toBe('Completed');
      expect(scene.ran).toHaveLength(1);
      expect(await manual(process)).toHaveLength(1);
    });

    it('and say that it may be stored if the database stays away', async () => {
      const process = await boot();
      const { schedules } = process.runner;
      await schedules.create('s', 'w', { every: '1h' });
      loseReply(process.store.schedules, 'after');
      const lost = new MemoryFailure('connection', 'The connection is lost.', {
        mayBeWritten: true,
      });
      const statuses = jest.spyOn(process.store, 'statuses').mockRejectedValue(lost);
      const refused = expect(schedules.runNow('s')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        mayBeWritten: true,
        message: expect.stringContaining("look for it with get('"),
      });
      await scene.clock.advance(2 * MINUTE);
      await refused;
      statuses.mockRestore();
      expect(await manual(process)).toHaveLength(1);
    });

    it('when the row is free, and give up after startTimeout', async () => {
      const process = await boot();
      const { schedules } = process.runner;
      await schedules.create('s', 'w', { every: '1h' });
      const locked = { fired: [false], definitionsAreStored: true };
      const fire = jest.spyOn(process.store.schedules, 'fire');
      fire.mockResolvedValueOnce(locked).mockResolvedValueOnce(locked);
      const handle = schedules.runNow('s');
      await scene.clock.advance(1_000);
      expect(await process.statusOf((await handle).id)).toBe('Completed');
      fire.mockResolvedValue(locked);
      const refused = expect(schedules.runNow('s')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        reached: true,
        mayBeWritten: false,
      });
      await scene.clock.advance(2 * MINUTE);
      await refused;
      fire.mockRestore();
      expect(scene.ran).toHaveLength(1);
    });

    it('twice in one millisecond', async () => {
      const process = await boot();
      const { schedules } = process.runner;
      await schedules.create('s', 'w', { every: '1h' });
      const both = Promise.all([schedules.runNow('s'), schedules.runNow('s')]);
      await scene.clock.advance(1_000);
      const ids = (await both).map(({ id }) => id);
      expect(await Promise.all(ids.map((id) => process.statusOf(id)))).toEqual([
        'Completed',
        'Completed',
      ]);
      expect(await manual(process)).toHaveLength(2);
    });

    it('at an instant of its own, whose firing follows', async () => {
      const process = await boot();
      const { schedules } = process.runner;
      await schedules.create('s', 'w', { every: '1h', jitter: '10m' });
      await scene.clock.advance(HOUR);
      expect(scene.ran).toEqual([]);
      await schedules.runNow('s');
      await scene.clock.advance(10 * MINUTE);
      expect((await outcomes(process)).toSorted()).toEqual(['manual', 'started']);
      expect(scene.ran).toHaveLength(2);
    });
  });

  it('give up a resume and a backfill whose row is locked for startTimeout', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '1h' });
    await schedules.pause('s');
    const locked = { fired: [false], definitionsAreStored: true };
    const fire = jest.spyOn(process.store.schedules, 'fire').mockResolvedValue(locked);
    const backfill = jest.spyOn(process.store.schedules, 'backfill').mockResolvedValue(locked);
    const to = new Date(scene.clock.wallTime());
    for (const call of [
      () => schedules.resume('s', { catchUp: 'once' }),
      () => schedules.backfill('s', { from: new Date(to.getTime() - 2 * HOUR), to }),
    ]) {
      const outcome = call().then(
        () => 'done',
        (error: unknown) => error,
      );
      await scene.clock.advance(2 * MINUTE);
      expect(await Promise.race([outcome, Promise.resolve('goes on')])).toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        reached: true,
      });
    }
    fire.mockRestore();
    backfill.mockRestore();
    expect(await schedules.get('s')).toMatchObject({ state: 'paused' });
  });

  it('give a change up that others forestall for startTimeout', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '1h' });
    const change = jest.spyOn(process.store.schedules, 'change').mockResolvedValue(false);
    for (const call of [
      () => schedules.update('s', { every: '2h' }),
      () => schedules.create('s', 'w', { every: '2h' }),
      () => schedules.pause('s'),
      () => schedules.resume('s'),
    ]) {
      const refused = expect(call()).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        reached: true,
      });
      await scene.clock.advance(2 * MINUTE);
      await refused;
    }
    change.mockRestore();
    expect(await schedules.get('s')).toMatchObject({ spec: { every: '1h' } });
  });
});
