import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PollerContext, PollerOptions } from '../../../lib/discovery/poller-types.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import { declaredPoller } from '../../support/declared-poller.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const MINUTE = 60_000;
const POLLS = 'cloacina.poller.p';

describe('pollers', () => {
  let clock: ManualClock;
  let database: MemoryDatabase;
  let polled: Pick<PollerContext, 'cursor' | 'attempt'>[];
  let ran: unknown[];
  let poll: (context: PollerContext) => unknown;
  let open: MemoryProcess[];
  let release: () => void;
  let released: Promise<void>;

  beforeEach(() => {
    clock = new ManualClock({ startsAt: new Date('2030-01-01T00:00:00Z') });
    database = new MemoryDatabase(clock);
    polled = [];
    ran = [];
    poll = () => undefined;
    open = [];
    released = new Promise((resolve) => (release = resolve));
  });
  afterEach(async () => {
    release();
    for (const process of open) await process.close();
  });

  async function boot(options: Partial<PollerOptions> = {}): Promise<MemoryProcess> {
    const work = registered([{ name: 'a' }], {
      handlers: { a: { run: (context) => void ran.push(context.get('n')) } },
    });
    const poller = declaredPoller(
      { name: 'p', every: '1m', workflow: 'w', ...options },
      (context) => {
        polled.push({ cursor: context.cursor, attempt: context.attempt });
        return poll(context);
      },
    );
    const process = new MemoryProcess(clock, [work, poller], { database });
    open.push(process);
    await process.open();
    await clock.advance(1_000);
    return process;
  }
  async function stop(process: MemoryProcess): Promise<void> {
    open = open.filter((one) => one !== process);
    await process.close();
  }
  const startOf = (n: number): object => ({ key: `key ${n}`, input: { n } });

  it('start what they find, and get their cursor again', async () => {
    poll = ({ cursor = 0 }) => ({
      starts: [startOf(Number(cursor) + 1)],
      cursor: Number(cursor) + 1,
    });
    const { runner } = await boot();
    await clock.advance(3 * MINUTE);
    expect(polled).toEqual([
      { cursor: undefined, attempt: 1 },
      { cursor: 1, attempt: 1 },
      { cursor: 2, attempt: 1 },
    ]);
    expect(ran).toEqual([1, 2, 3]);
    expect(await runner.pollers.get('p')).toMatchObject({
      name: 'p',
      workflow: 'w',
      pollWorkflow: POLLS,
      every: '1m',
      state: 'active',
      cursor: 3,
      cursorAt: expect.any(Date),
    });
    const { items } = await runner.list({ workflow: POLLS, limit: 1 });
    expect((await runner.get(items[0]!.id))!.context).toMatchObject({ found: 1, started: 1 });
  });

  it('start one execution for what they see twice', async () => {
    poll = () => ({ starts: [startOf(1), startOf(2), startOf(1)] });
    const { runner } = await boot();
    await clock.advance(2 * MINUTE);
    expect(polled).toHaveLength(2);
    expect(ran.toSorted()).toEqual([1, 2]);
    const { items } = await runner.list({ workflow: POLLS });
    const contexts = await Promise.all(
      items.map(async ({ id }) => (await runner.get(id))!.context),
    );
    expect(contexts).toEqual([
      expect.objectContaining({ found: 2, started: 0 }),
      expect.objectContaining({ found: 2, started: 2 }),
    ]);
  });

  it('keep the cursor if a poll returns none', async () => {
    const { runner } = await boot();
    await runner.pollers.setCursor('p', { page: 7 });
    await clock.advance(MINUTE);
    poll = () => ({ starts: [startOf(1)] });
    await clock.advance(MINUTE);
    expect(polled.map(({ cursor }) => cursor)).toEqual([{ page: 7 }, { page: 7 }]);
    expect(await runner.pollers.get('p')).toMatchObject({ cursor: { page: 7 } });
    await runner.pollers.setCursor('p', undefined);
    expect(await runner.pollers.get('p')).toMatchObject({ cursor: undefined, cursorAt: undefined });
  });

  it('back off when they fail, and lose nothing', async () => {
    poll = ({ attempt, cursor = 0 }) => {
      if (attempt < 3) throw new Error('The server is away.');
      return { starts: [startOf(1)], cursor: Number(cursor) + 1 };
    };
    const retry = { delay: '10m', backoff: 'fixed', jitter: false, maxDelay: '1h' } as const;
    const { runner } = await boot({ retry });
    await clock.advance(15 * MINUTE);
    expect(polled.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(await runner.pollers.get('p')).toMatchObject({ cursor: undefined });
    const { items } = await runner.list({ workflow: POLLS });
    expect(items).toHaveLength(1);
    expect((await runner.get(items[0]!.id))!.tasks[0]).toMatchObject({
      error: { message: 'The server is away.' },
    });
    await clock.advance(10 * MINUTE);
    expect(ran).toEqual([1]);
    expect(await runner.pollers.get('p')).toMatchObject({ cursor: 1 });
  });

  it('are polled by one process at a time, also by hand', async () => {
    let running = 0;
    let most = 0;
    poll = async () => {
      most = Math.max(most, ++running);
      await released;
      running--;
    };
    const [first, second] = [await boot(), await boot()];
    await clock.advance(MINUTE);
    const { id } = await second.runner.schedules.runNow('p');
    // A moment has one firing, so this one waits for the next millisecond.
    const other = first.runner.schedules.runNow('p');
    await clock.advance(3 * MINUTE);
    await other;
    expect(polled).toHaveLength(1);
    expect((await second.runner.get(id))!.status).toBe('Pending');
    release();
    await clock.advance(MINUTE);
    expect((await second.runner.get(id))!.status).toBe('Completed');
    expect(most).toBe(1);
    expect(polled.length).toBeGreaterThan(2);
  });

  it('are polled by another process after the first has stopped', async () => {
    poll = ({ cursor = 0 }) => ({ cursor: Number(cursor) + 1 });
    const first = await boot();
    await boot();
    await clock.advance(2 * MINUTE);
    await stop(first);
    await clock.advance(2 * MINUTE);
    expect(polled.map(({ cursor }) => cursor)).toEqual([undefined, 1, 2, 3]);
  });

  it('poll again when their cursor was set while they ran', async () => {
    poll = async ({ cursor }) => {
      if (cursor !== undefined) return { starts: [startOf(2)], cursor: 'end' };
      await released;
      return { starts: [startOf(1)], cursor: 'lost' };
    };
    const { runner } = await boot();
    await clock.advance(MINUTE);
    await runner.pollers.setCursor('p', 'set');
    release();
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(polled).toEqual([
      { cursor: undefined, attempt: 1 },
      { cursor: 'set', attempt: 1 },
    ]);
    expect(ran).toEqual([2]);
    expect(await runner.pollers.get('p')).toMatchObject({ cursor: 'end' });
  });

  it('may not set their own cursor, which would repeat the poll without end', async () => {
    let error: unknown;
    poll = async ({ cursor = 0 }) => {
      error = await runner.pollers.setCursor('p', 'mine').catch((thrown: unknown) => thrown);
      return { cursor: Number(cursor) + 1 };
    };
    const { runner } = await boot();
    await clock.advance(2 * MINUTE);
    expect(error).toMatchObject({ code: 'NOT_ALLOWED' });
    expect(polled.map(({ cursor }) => cursor)).toEqual([undefined, 1]);
    await runner.pollers.setCursor('p', 7);
  });

  it('are paused, resumed and run by their schedule', async () => {
    const { runner } = await boot();
    await runner.schedules.pause('p', { reason: 'holiday' });
    await clock.advance(5 * MINUTE);
    expect(polled).toEqual([]);
    expect(await runner.pollers.list()).toMatchObject([{ state: 'paused', reason: 'holiday' }]);
    await runner.schedules.runNow('p');
    await clock.advance(1_000);
    expect(polled).toHaveLength(1);
    await runner.schedules.resume('p');
    await clock.advance(2 * MINUTE);
    expect(polled).toHaveLength(3);
    await runner.schedules.update('p', { every: '1h' });
    expect(await runner.pollers.get('p')).toMatchObject({ every: '1h' });
  });

  it('can be run by hand as soon as the process is open', async () => {
    const poller = declaredPoller({ name: 'p', every: '1d', workflow: 'w' }, () => {
      polled.push({ cursor: undefined, attempt: 1 });
    });
    const process = new MemoryProcess(clock, [registered([{ name: 'a' }]), poller], { database });
    open.push(process);
    await process.open();
    const { id } = await process.runner.schedules.runNow('p');
    await clock.advance(1_000);
    expect((await process.runner.get(id))!.status).toBe('Completed');
    expect(polled).toHaveLength(1);
    await expect(process.runner.schedules.runNow('q')).rejects.toMatchObject({
      code: 'UNKNOWN_SCHEDULE',
    });
  });

  it('keep their schedule from callers, and their limit', async () => {
    const { schedules, limits, pollers } = (await boot()).runner;
    const refused = { code: 'INVALID_ARGUMENT' };
    await expect(schedules.create('p', 'w', { every: '1h' })).rejects.toMatchObject(refused);
    await expect(
      schedules.create('other', POLLS, { every: '1h' }, { poller: 'p' }),
    ).rejects.toMatchObject({ ...refused, argument: 'workflow' });
    await expect(schedules.update('p', { input: { n: 1 } })).rejects.toMatchObject(refused);
    await expect(limits.set('cloacina.poller', { concurrency: 2 })).rejects.toMatchObject(refused);
    await schedules.create('plain', 'w', { every: '1h' });
    expect(await pollers.get('plain')).toBeNull();
    expect(await pollers.list()).toHaveLength(1);
    for (const name of ['plain', 'other']) {
      await expect(pollers.setCursor(name, 1)).rejects.toMatchObject({
        code: 'UNKNOWN_POLLER',
        poller: name,
      });
    }
    await expect(pollers.setCursor('p', { at: [1n] })).rejects.toMatchObject({
      ...refused,
      argument: 'cursor.at[0]',
    });
  });

  it('are no workflows of the application', async () => {
    const { runner } = await boot();
    expect(runner.workflows().map(({ name }) => name)).toEqual(['w']);
    await expect(runner.start('nothing')).rejects.toThrow(/Known: "w"\. /);
  });

  it('are disabled in tenants that are not polled any more, and keep their cursor', async () => {
    poll = () => ({ cursor: 'kept' });
    const first = await boot();
    await clock.advance(MINUTE);
    await stop(first);
    const second = await boot({ tenants: (tenant) => tenant !== 't' });
    // As the sweep of a boot does.
    second.engine.schedules.changedElsewhere();
    await clock.advance(3 * MINUTE);
    expect(polled).toHaveLength(1);
    expect(await second.runner.pollers.get('p')).toMatchObject({
      state: 'paused',
      reason: 'The code no longer declares it.',
      cursor: 'kept',
    });
    await stop(second);
    await boot();
    await clock.advance(2 * MINUTE);
    expect(polled.at(-1)).toMatchObject({ cursor: 'kept' });
  });

  it('are broken when the code has lost them, until it has them again', async () => {
    poll = () => ({ cursor: 'kept' });
    const first = await boot();
    await clock.advance(MINUTE);
    await stop(first);
    const without = new MemoryProcess(clock, registered([{ name: 'a' }]), { database });
    open.push(without);
    await without.open();
    // As the sweeps of a process do.
    for (let minute = 0; minute < 5; minute++) {
      without.engine.schedules.changedElsewhere();
      await clock.advance(MINUTE);
    }
    expect(await without.runner.pollers.list()).toMatchObject([
      { name: 'p', workflow: 'w', state: 'broken', cursor: 'kept' },
    ]);
    await boot();
    await clock.advance(2 * MINUTE);
    expect(polled.at(-1)).toMatchObject({ cursor: 'kept' });
  });

  describe('refuse a result', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    it.each<[string, unknown, string, RegExp]>([
      ['that is a list', [startOf(1)], 'the result', /must be an object/],
      ['that is a text', 'x', 'the result', /must be an object/],
      ['with a mistyped member', { start: [startOf(1)], cursor: 1 }, 'the result', /use "starts"/],
      ['whose starts are no list', { starts: startOf(1), cursor: 1 }, 'starts', /must be an array/],
      [
        'with a delay that is not one, behind a key that came twice',
        {
          starts: [startOf(1), startOf(1), { key: 'b', input: { n: 2 }, delay: 'soon' }],
          cursor: 1,
        },
        'starts[2].delay',
        /is refused/,
      ],
      ['with a start that is no object', { starts: [7], cursor: 1 }, 'starts[0]', /must be an obj/],
      [
        'with a start without a key',
        { starts: [startOf(1), { input: {} }], cursor: 1 },
        'starts[1].key',
        /not empty/,
      ],
      [
        'with an empty key',
        { starts: [{ key: '', input: {} }], cursor: 1 },
        'starts[0].key',
        /not e/,
      ],
      [
        'with a key that is too long',
        { starts: [startOf(1), { key: 'x'.repeat(501), input: {} }], cursor: 1 },
        'starts[1].key',
        /500/,
      ],
      [
        'with a start without input',
        { starts: [{ key: 'a' }], cursor: 1 },
        'starts[0].input',
        /object/,
      ],
      [
        'with an input that JSON cannot carry',
        { starts: [{ key: 'a', input: { n: 1n } }], cursor: 1 },
        'starts[0].input',
        /BigInt/,
      ],
      [
        'with an unknown option of a start',
        { starts: [{ ...startOf(1), prority: 1 }], cursor: 1 },
        'starts[0]',
        /use "priority"/,
      ],
      [
        'with a delay that is not one',
        { starts: [{ ...startOf(1), delay: 'soon' }], cursor: 1 },
        'starts[0].delay',
        /must be/,
      ],
      ['with a cursor that JSON cannot carry', { cursor: { at: [1, NaN] } }, 'cursor.at[1]', /NaN/],
      ['with a cursor in a circle', { cursor: circle }, 'cursor.self', /contains it/],
      [
        'with a cursor of more than 1 MB',
        { cursor: 'x'.repeat(1_000_001) },
        'cursor',
        /1000000|long/,
      ],
    ])('%s, and store nothing', async (_, result, field, message) => {
      poll = () => result;
      const { runner } = await boot({ retry: { maxAttempts: 1 } });
      await clock.advance(MINUTE);
      const { items } = await runner.list({ workflow: POLLS });
      const execution = await runner.get(items[0]!.id);
      expect(execution).toMatchObject({
        status: 'Failed',
        error: { code: 'INVALID_POLL', message: expect.stringMatching(message) },
      });
      expect(execution!.error!.message).toContain(`not valid: ${field} `);
      expect(ran).toEqual([]);
      expect(await runner.pollers.get('p')).toMatchObject({ cursor: undefined });
      // A corrected method goes on where the last good poll was.
      poll = () => ({ starts: [startOf(1)], cursor: null });
      await clock.advance(2 * MINUTE);
      expect(ran).toEqual([1]);
      expect(await runner.pollers.get('p')).toMatchObject({ cursor: null });
    });
  });
});
