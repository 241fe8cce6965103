import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { declareSchedules } from '../../../lib/discovery/schedule.decorator.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { ScheduleStore } from '../../../lib/store/port/index.js';
import { MemoryDatabase, MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import type { ScheduleInfo } from '../../../lib/workflow/schedule/index.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2030-01-01T00:00:00Z');

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
  let clock: ManualClock;
  let database: MemoryDatabase;
  let ran: ScheduleInfo[];
  let work: (context: TaskContext) => unknown;
  let workflow: RegisteredWorkflow;
  let open: MemoryProcess[];
  /** Ends the handlers that would run for ever. */
  let release: () => void;
  let forever: Promise<void>;

  beforeEach(() => {
    clock = new ManualClock({ startsAt: new Date(START) });
    database = new MemoryDatabase(clock);
    ran = [];
    work = () => undefined;
    open = [];
    forever = new Promise((resolve) => (release = resolve));
    workflow = registered([{ name: 'a', retry: { maxAttempts: 1 } }], {
      handlers: {
        a: {
          run: (context) => {
            if (context.schedule !== undefined) ran.push(context.schedule);
            return work(context);
          },
        },
      },
    });
  });
  afterEach(async () => {
    release();
    for (const process of open) await process.close();
  });

  async function boot(declared?: RegisteredWorkflow['schedules']): Promise<MemoryProcess> {
    const own = declared === undefined ? workflow : { ...workflow, schedules: declared };
    const process = new MemoryProcess(clock, own, { database });
    open.push(process);
    await process.open();
    return process;
  }
  async function stop(process: MemoryProcess): Promise<void> {
    open = open.filter((one) => one !== process);
    await process.close();
  }
  const times = (): string[] => ran.map(({ scheduledAt }) => scheduledAt.toISOString());
  const outcomes = async (process: MemoryProcess): Promise<string[]> =>
    (await process.runner.schedules.firings('s', { limit: 500 })).map(({ outcome }) => outcome);

  it('start an execution for each instant, with the instant and the one before', async () => {
    const { runner } = await boot();
    const created = await runner.schedules.create('s', 'w', { cron: '0 2 * * *' }, { a: 1 });
    expect(created).toMatchObject({ state: 'active', nextAt: new Date(START + 2 * HOUR) });
    await clock.advance(3 * DAY);
    expect(ran).toEqual([
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
    clock = new ManualClock({ startsAt: new Date('2030-03-30T23:00:00Z') });
    database = new MemoryDatabase(clock);
    const { runner } = await boot();
    await runner.schedules.create('s', 'w', { cron: '30 1 * * *', timezone: 'Europe/Lisbon' });
    await clock.advance(26 * HOUR);
    expect(times()).toEqual(['2030-03-31T01:00:00.000Z', '2030-04-01T00:30:00.000Z']);
  });

  it('have one execution for each instant in eight processes', async () => {
    const [first] = await Promise.all(Array.from({ length: 8 }, () => boot()));
    await first!.runner.schedules.create('s', 'w', { every: '10s' });
    await clock.advance(10 * MINUTE + 1_000);
    expect(new Set(times()).size).toBe(60);
    expect(ran).toHaveLength(60);
  });

  it('are fired by the others when the process that made them is gone', async () => {
    const maker = await boot();
    await boot();
    await maker.runner.schedules.create('s', 'w', { every: '1h' });
    await stop(maker);
    await clock.advance(3 * HOUR + 1_000);
    expect(ran).toHaveLength(3);
  });

  it('catch up with the latest after an outage, and record what they pass over', async () => {
    const before = await boot();
    await before.runner.schedules.create('s', 'w', { every: '1h' });
    await stop(before);
    await clock.advance(10 * HOUR + 30 * MINUTE);
    const after = await boot();
    // As the sweep of a boot does.
    after.engine.schedules.changedElsewhere();
    await clock.advance(MINUTE);
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
    work = () => new Promise<void>((resolve) => (end = resolve));
    const process = await boot();
    await process.runner.schedules.create('s', 'w', { every: '1m' });
    await clock.advance(3 * MINUTE + 1_000);
    expect(await outcomes(process)).toEqual(['skipped', 'skipped', 'started']);
    work = () => undefined;
    end();
    await clock.advance(MINUTE);
    expect((await outcomes(process))[0]).toBe('started');
    expect(ran.map(({ previousAt }) => previousAt)).toEqual([null, new Date(START + MINUTE)]);
  });

  it('overlap if they may', async () => {
    work = () => forever;
    const process = await boot();
    await process.runner.schedules.create('s', 'w', { every: '1m', overlap: 'allow' });
    await clock.advance(3 * MINUTE + 1_000);
    expect(ran).toHaveLength(3);
  });

  it('pass over the firings of a pause, and record them', async () => {
    const process = await boot();
    const { schedules } = process.runner;
    await schedules.create('s', 'w', { every: '1h' });
    await schedules.pause('s', 'holiday');
    await clock.advance(5 * HOUR);
    expect(ran).toEqual([]);
    expect(await schedules.get('s')).toMatchObject({ state: 'paused', reason: 'holiday' });
    await schedules.resume('s');
    await clock.advance(HOUR + 1_000);
    expect(times()).toEqual(['2030-01-01T06:00:00.000Z']);
    expect(await schedules.firings('s')).toMatchObject([
      { outcome: 'started' },
      { outcome: 'paused', count: 5 },
    ]);
  });

  it('treat the firings of a pause as missed if the caller says so', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h', catchUp: { all: 2 } });
    await schedules.pause('s');
    await clock.advance(5 * HOUR + MINUTE);
    await schedules.resume('s', { catchUp: true });
    await clock.advance(1_000);
    expect((await schedules.firings('s')).map(({ outcome }) => outcome)).toEqual([
      'skipped',
      'caughtUp',
      'missed',
    ]);
  });

  it('never fire for the past of a new expression', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { cron: '0 0 1 1 *' });
    await clock.advance(10 * HOUR);
    await schedules.update('s', { every: '1h', aligned: true });
    await clock.advance(1_000);
    expect(ran).toEqual([]);
    await clock.advance(HOUR);
    expect(times()).toEqual(['2030-01-01T11:00:00.000Z']);
  });

  it('do not stop a drain when they can not be read', async () => {
    const { engine, store } = await boot();
    let fail: (error: Error) => void = () => undefined;
    jest.spyOn(store.schedules, 'due').mockReturnValue(
      new Promise((_, reject) => {
        fail = reject;
      }),
    );
    const fired = engine.schedules.fireDue();
    await clock.advance(0);
    expect(store.schedules.due).toHaveBeenCalled();
    const drained = engine.drain(0);
    await clock.advance(0);
    fail(new Error('The server is away.'));
    await clock.advance(MINUTE);
    await expect(drained).resolves.toBeUndefined();
    await fired;
  });

  it('pause when too many executions have failed, and go on when resumed', async () => {
    work = () => {
      throw new Error('no');
    };
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h', pauseAfterFailures: 2 });
    await clock.advance(5 * HOUR);
    expect(ran).toHaveLength(2);
    expect(await schedules.get('s')).toMatchObject({
      state: 'paused',
      reason: '2 executions have failed one after the other.',
    });
    await schedules.resume('s');
    await clock.advance(5 * HOUR);
    expect(ran).toHaveLength(4);
  });

  it('end with their last instant', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { at: new Date(START + HOUR) });
    await clock.advance(2 * DAY);
    expect(ran).toHaveLength(1);
    expect(await schedules.get('s')).toMatchObject({ state: 'ended', nextAt: undefined });
  });

  it('start an execution now, which the next firing does not overlap', async () => {
    work = () => forever;
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1m' });
    const { id } = await schedules.runNow('s');
    expect(await schedules.get('s')).toMatchObject({ lastExecutionId: id });
    await clock.advance(MINUTE + 1_000);
    expect((await schedules.firings('s')).map(({ outcome }) => outcome)).toEqual([
      'skipped',
      'manual',
    ]);
  });

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
        await clock.advance(MINUTE);
        expect(await process.statusOf((await handle).id)).toBe('Completed');
        expect(ran).toHaveLength(1);
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
      await clock.advance(MINUTE);
      expect(await process.statusOf((await handle).id)).toBe('Completed');
      expect(ran).toHaveLength(1);
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
      await clock.advance(2 * MINUTE);
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
      await clock.advance(1_000);
      expect(await process.statusOf((await handle).id)).toBe('Completed');
      fire.mockResolvedValue(locked);
      const refused = expect(schedules.runNow('s')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        reached: true,
        mayBeWritten: false,
      });
      await clock.advance(2 * MINUTE);
      await refused;
      fire.mockRestore();
      expect(ran).toHaveLength(1);
    });

    it('twice in one millisecond', async () => {
      const process = await boot();
      const { schedules } = process.runner;
      await schedules.create('s', 'w', { every: '1h' });
      const both = Promise.all([schedules.runNow('s'), schedules.runNow('s')]);
      await clock.advance(1_000);
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
      await clock.advance(HOUR);
      expect(ran).toEqual([]);
      await schedules.runNow('s');
      await clock.advance(10 * MINUTE);
      expect((await outcomes(process)).toSorted()).toEqual(['manual', 'started']);
      expect(ran).toHaveLength(2);
    });
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
      await clock.advance(2 * MINUTE);
      await refused;
    }
    change.mockRestore();
    expect(await schedules.get('s')).toMatchObject({ spec: { every: '1h' } });
  });

  it('fire nothing after a deletion', async () => {
    const { schedules } = (await boot()).runner;
    await schedules.create('s', 'w', { every: '1h' });
    await schedules.delete('s');
    await clock.advance(DAY);
    expect(ran).toEqual([]);
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

  describe('of the code', () => {
    const declare = (every: string) => declareSchedules('w', 'w', [{ name: 's', every }]).schedules;

    it('are made at boot, changed by another release, and paused when the code has lost them', async () => {
      const first = await boot(declare('1h'));
      await clock.advance(HOUR + 1_000);
      expect(ran).toHaveLength(1);
      await first.runner.schedules.create('by hand', 'w', { at: new Date(START + 365 * DAY) });
      await stop(first);
      const second = await boot(declare('2h'));
      await clock.advance(1_000);
      expect(await second.runner.schedules.get('s')).toMatchObject({ spec: { every: '2h' } });
      await stop(second);
      const third = await boot(declare('2h').map((one) => ({ ...one, name: 'other' })));
      await clock.advance(1_000);
      expect(await third.runner.schedules.get('s')).toMatchObject({ state: 'paused' });
      expect(await third.runner.schedules.get('by hand')).toMatchObject({ state: 'active' });
      await stop(third);
      const fourth = await boot(declare('2h'));
      await clock.advance(1_000);
      expect(await fourth.runner.schedules.get('s')).toMatchObject({ state: 'active' });
    });

    it('keep an overdue firing if they are the same', async () => {
      await stop(await boot(declare('1h')));
      await clock.advance(90 * MINUTE);
      await boot(declare('1h'));
      await clock.advance(1_000);
      // The first boot was too short to make it.
      expect(times()).toEqual([]);
      await clock.advance(HOUR);
      await stop(open[0]!);
      await clock.advance(HOUR);
      ran = [];
      await boot(declare('1h'));
      await clock.advance(1_000);
      expect(ran).toHaveLength(1);
    });

    it('are left to other tenants', async () => {
      const [schedule] = declareSchedules('w', 'w', [
        { every: '1h', tenants: (tenant) => tenant !== 't' },
      ]).schedules;
      const process = await boot([schedule!]);
      await clock.advance(2 * HOUR);
      expect(await process.runner.schedules.list()).toEqual([]);
    });
  });
});
