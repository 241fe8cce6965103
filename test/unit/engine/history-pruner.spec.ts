import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HistoryPass } from '../../../lib/engine/schedules/history-pass.js';
import type { ExecutionStatus } from '../../../lib/workflow/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import { declaredPoller } from '../../support/declared-poller.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const POLLS = 'cloacina.poller.p';

describe('HistoryPruner', () => {
  let clock: ManualClock;
  let database: MemoryDatabase;
  let tenant: MemoryProcess;
  let poll: () => unknown;

  beforeEach(async () => {
    clock = new ManualClock({ startsAt: new Date('2030-01-01T00:00:00Z') });
    database = new MemoryDatabase(clock);
    poll = () => undefined;
    const work = registered([{ name: 'a' }]);
    const poller = declaredPoller(
      { name: 'p', every: '1h', workflow: 'w', retry: { maxAttempts: 1 } },
      () => poll(),
    );
    tenant = new MemoryProcess(clock, [work, poller], { database });
    await tenant.open();
    await clock.advance(1_000);
  });
  afterEach(() => tenant.close());

  /** The time passes, with rounds of the sweep. */
  async function pass(ms: number, everyMs = HOUR): Promise<void> {
    for (let left = ms; left > 0; left -= everyMs) {
      await clock.advance(Math.min(left, everyMs));
      await tenant.engine.historyPruner.round();
    }
  }
  async function countOf(workflow: string, status?: ExecutionStatus): Promise<number> {
    const [counts] = await tenant.runner.counts(
      status === undefined ? { workflow } : { workflow, status },
    );
    return counts?.total ?? 0;
  }
  const polls = (status: ExecutionStatus): Promise<number> => countOf(POLLS, status);

  it('keeps completed polls for a day and failed ones for thirty', async () => {
    poll = () => {
      throw new Error('The server is away.');
    };
    await pass(10 * HOUR);
    poll = () => undefined;
    await pass(3 * DAY);
    expect(await polls('Failed')).toBe(10);
    expect(await polls('Completed')).toBeLessThanOrEqual(25);
    expect(await polls('Completed')).toBeGreaterThanOrEqual(23);
    await pass(28 * DAY, 6 * HOUR);
    expect(await polls('Failed')).toBe(0);
  });

  it('deletes nothing that the poller has started', async () => {
    let n = 0;
    poll = () => ({ starts: [{ key: String(n++), input: {} }] });
    await pass(3 * DAY);
    expect(await countOf('w')).toBe(72);
    expect(await polls('Completed')).toBeLessThanOrEqual(25);
  });

  it('keeps the firings of thirty days, and the latest hundred whatever their age', async () => {
    const { schedules } = tenant.runner;
    await schedules.pause('p');
    await schedules.create('often', 'w', { every: '6h' });
    await schedules.create('seldom', 'w', { every: '1d' });
    await pass(60 * DAY, 6 * HOUR);
    await clock.advance(1_000);
    const often = await schedules.firings('often', { limit: 500 });
    expect(often.filter(({ outcome }) => outcome === 'started').length).toBeLessThanOrEqual(122);
    expect(often.filter(({ outcome }) => outcome === 'started').length).toBeGreaterThanOrEqual(119);
    expect(often.at(-1)).toMatchObject({ outcome: 'pruned', count: expect.any(Number) });
    expect(often.reduce((sum, { count }) => sum + count, 0)).toBe(240);
    expect(await schedules.firings('seldom', { limit: 500 })).toHaveLength(60);
  });

  it('lets a backfill know what has been fired', async () => {
    const { schedules } = tenant.runner;
    await schedules.pause('p');
    await schedules.create('s', 'w', { every: '6h' });
    const from = new Date(clock.wallTime() - DAY);
    await pass(60 * DAY, 6 * HOUR);
    const to = new Date(from.getTime() + 3 * DAY);
    expect((await schedules.firings('s', { limit: 500 })).at(-1)?.outcome).toBe('pruned');
    const before = await countOf('w');
    // Five of them are before or at the creation, and have never been fired.
    expect(await schedules.backfill('s', { from, to })).toEqual({ matched: 13, changed: 5 });
    expect(await countOf('w')).toBe(before + 5);
    expect(await schedules.backfill('s', { from, to })).toEqual({ matched: 13, changed: 0 });
  });

  it('sends nothing while nothing fires, and at most a pass in ten minutes', async () => {
    const prune = jest.spyOn(tenant.store.schedules, 'prune');
    await tenant.runner.schedules.pause('p');
    await pass(DAY, MINUTE);
    expect(prune).not.toHaveBeenCalled();
    await tenant.runner.schedules.create('s', 'w', { every: '1m' });
    await pass(HOUR, MINUTE);
    expect(prune.mock.calls.length).toBeLessThanOrEqual(6);
    expect(prune.mock.calls.length).toBeGreaterThanOrEqual(5);
  });

  it('reports the first of its failures, and goes on in the next round', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const prune = jest
      .spyOn(tenant.store.schedules, 'prune')
      .mockRejectedValueOnce(new Error('The server is away.'))
      .mockRejectedValueOnce(new Error('The server is away.'));
    const sweep = new HistoryPass(() => [tenant.engine]);
    await clock.advance(HOUR);
    for (let round = 0; round < 4; round++) await sweep.over(['t']);
    expect(prune).toHaveBeenCalledTimes(3);
    const told = warn.mock.calls.filter(([text]) => String(text).includes('could not be deleted'));
    expect(told).toHaveLength(1);
    warn.mockRestore();
  });
});
