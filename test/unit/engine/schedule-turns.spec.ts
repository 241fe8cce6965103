import { describe, expect, it } from '@jest/globals';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { sceneOfSchedules, MINUTE, START } from './schedule-scene.js';

describe('the executions of a schedule', () => {
  const scene = sceneOfSchedules();
  const { boot, times } = scene;

  /** Handlers that the test ends, in the order in which they have begun. */
  function endedByHand(): (() => void)[] {
    const ends: (() => void)[] = [];
    scene.work = ({ signal }) =>
      new Promise<void>((resolve) => {
        ends.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    return ends;
  }
  const at = (minute: number): string => new Date(START + minute * MINUTE).toISOString();

  it("run one after the other with overlap 'queue', in any number of processes", async () => {
    const ends = endedByHand();
    const [first] = [await boot(), await boot()];
    const { runner } = first;
    await runner.schedules.create('s', 'w', { every: '1m', overlap: 'queue' });
    await scene.clock.advance(3 * MINUTE + 1_000);
    expect(times()).toEqual([at(1)]);
    expect(await runner.schedules.stats()).toMatchObject({ fired: 3, skipped: { overlap: 0 } });
    const [, second] = await runner.schedules.firings('s');
    const waiting = await runner.get(second!.executionId!);
    expect(waiting!.tasks[0]!.waitingFor).toMatchObject({
      reason: 'turn',
      detail: expect.stringContaining('It waits for its turn of schedule "s": 1 of 1 run'),
    });
    await runner.schedules.pause('s');
    for (let turn = 1; turn <= 3; turn++) {
      expect(times()).toEqual([1, 2, 3].slice(0, turn).map(at));
      ends[turn - 1]!();
      await scene.clock.advance(1_000);
    }
    expect(ends).toHaveLength(3);
  });

  it("cancel the one before with overlap 'cancelPrevious'", async () => {
    const ends = endedByHand();
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { every: '1m', overlap: 'cancelPrevious' });
    await scene.clock.advance(3 * MINUTE + 1_000);
    expect(times()).toEqual([at(1), at(2), at(3)]);
    await runner.schedules.pause('s');
    ends[2]!();
    await scene.clock.advance(1_000);
    const { executions } = await runner.schedules.stats();
    expect(executions).toMatchObject({ cancelled: 2, completed: 1, unfinished: 0 });
  });

  it('take turns with those that a caller starts, unless the caller says otherwise', async () => {
    const ends = endedByHand();
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { every: '1m', overlap: 'queue' });
    await scene.clock.advance(MINUTE + 1_000);
    await runner.schedules.pause('s');
    await runner.schedules.runNow('s');
    await scene.clock.advance(1_000);
    expect(ends).toHaveLength(1);
    await runner.schedules.runNow('s', { overlap: 'allow' });
    await scene.clock.advance(1_000);
    expect(ends).toHaveLength(2);
    ends[0]!();
    await scene.clock.advance(1_000);
    expect(ends).toHaveLength(3);
    ends[1]!();
    ends[2]!();
    await expect(
      runner.schedules.runNow('s', { overlap: 'never' as 'allow' }),
    ).rejects.toMatchObject({ argument: 'overlap' });
  });

  it("are not started by a caller with overlap 'skip' while another one runs", async () => {
    const ends = endedByHand();
    const { runner } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' });
    const first = await schedules.runNow('s', { overlap: 'skip' });
    await scene.clock.advance(1_000);
    const second = await schedules.runNow('s', { overlap: 'skip' });
    expect([first.created, second.created, second.id]).toEqual([true, false, first.id]);
    expect(ends).toHaveLength(1);
    expect(await schedules.stats()).toMatchObject({
      fired: 1,
      firedBy: { runNow: 1 },
      skipped: { overlap: 1 },
    });
    ends[0]!();
    await scene.clock.advance(1_000);
    const third = await schedules.runNow('s', { overlap: 'skip' });
    expect(third.created).toBe(true);
    await scene.clock.advance(1_000);
    ends[1]!();
    await scene.clock.advance(1_000);
  });

  it('are left out once by a caller, also if a reply is lost', async () => {
    const ends = endedByHand();
    const { runner, store } = await boot();
    const { schedules } = runner;
    await schedules.create('s', 'w', { every: '1h' });
    const { id } = await schedules.runNow('s');
    await scene.clock.advance(1_000);
    const fire = store.schedules.fire.bind(store.schedules);
    store.schedules.fire = async (fires) => {
      store.schedules.fire = fire;
      await fire(fires);
      throw new MemoryFailure('connection', 'The connection is lost.', { mayBeWritten: true });
    };
    const skipped = schedules.runNow('s', { overlap: 'skip' });
    await scene.clock.advance(10_000);
    expect(await skipped).toMatchObject({ id, created: false });
    expect((await schedules.stats()).skipped).toMatchObject({ overlap: 1 });
    ends[0]!();
    await scene.clock.advance(1_000);
  });

  it.each(['sweep', 'timer'])(
    'that wait although their turn is free are found by a %s, in a process that was told of none',
    async (by) => {
      const first = await boot();
      // It fires, and hangs before it looks for a turn.
      let goOn: () => void = () => undefined;
      const hangs = new Promise<void>((resolve) => (goOn = resolve));
      const admit = first.store.admissions.admit.bind(first.store.admissions);
      first.store.admissions.admit = (looks) => hangs.then(() => admit(looks));
      await first.runner.schedules.create('s', 'w', { every: '1m', overlap: 'queue' });
      await scene.clock.advance(MINUTE + 1_000);
      await first.runner.schedules.pause('s');
      const { engine } = await boot();
      await scene.clock.advance(1_000);
      const before = times();
      if (by === 'sweep') engine.wakeUps.schedule([{ kind: 'admission', inMs: 0 }]);
      else engine.wakeUps.isDue('admission');
      await scene.clock.advance(1_000);
      const found = times();
      goOn();
      expect([before, found]).toEqual([[], [at(1)]]);
    },
  );

  it('of a backfill cancel the one before if the caller says so', async () => {
    const ends = endedByHand();
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { every: '1h' });
    const range = { from: new Date(START - 180 * MINUTE), to: new Date(START - 60 * MINUTE) };
    await runner.schedules.backfill('s', { ...range, overlap: 'cancelPrevious' });
    await scene.clock.advance(1_000);
    for (const end of ends) end();
    await scene.clock.advance(1_000);
    expect(times().at(-1)).toBe(at(-60));
    const { executions } = await runner.schedules.stats();
    expect(executions).toMatchObject({ cancelled: 2, completed: 1, unfinished: 0 });
  });

  it('of a backfill run one after the other if the caller says so', async () => {
    const ends = endedByHand();
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { every: '1h' });
    const range = { from: new Date(START - 180 * MINUTE), to: new Date(START - 60 * MINUTE) };
    await runner.schedules.backfill('s', { ...range, overlap: 'queue' });
    for (let turn = 1; turn <= 3; turn++) {
      await scene.clock.advance(1_000);
      expect(ends).toHaveLength(turn);
      ends[turn - 1]!();
    }
    await scene.clock.advance(1_000);
    expect(times()).toEqual([at(-180), at(-120), at(-60)]);
  });
});
