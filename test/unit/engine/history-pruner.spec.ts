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
    await pass(3 * HOUR);
    poll = () => undefined;
    await pass(2 * HOUR);
    age(DAY - 3 * HOUR);
    await prune();
    expect(await polls('Completed')).toBe(2);
    age(3 * HOUR);
    await prune();
    expect(await polls('Failed')).toBe(3);
    expect(await polls('Completed')).toBe(0);
    await tenant.runner.schedules.pause('p');
    age(30 * DAY);
    await prune();
    expect(await polls('Failed')).toBe(0);
  });

  it('deletes nothing that the poller has started', async () => {
    let n = 0;
    poll = () => ({ starts: [{ key: String(n++), input: {} }] });
    await pass(3 * HOUR);
    expect(await polls('Completed')).toBe(3);
    age(2 * DAY);
    await prune();
    expect(await polls('Completed')).toBe(0);
    expect(await countOf('w')).toBe(3);
  });

  /** Makes all records of firings and all executions older: a day of the clock takes a second, thirty would be long. */
  function age(ms: number): void {
    const tables = database.tables(tenant.store.schema);
    tables.firings = tables.firings.map((one) => ({ ...one, firedAt: one.firedAt - ms }));
    for (const [id, row] of tables.executions)
      tables.executions.set(id, { ...row, createdAt: row.createdAt - ms });
  }

  /** Has a pass made, as after a firing. */
  async function prune(): Promise<void> {
    await clock.advance(10 * MINUTE);
    tenant.engine.historyPruner.recorded();
    await tenant.engine.historyPruner.round();
  }

  /** A schedule with a record for every six hours of the last sixty days, made now. It does not fire. */
  async function record(name: string): Promise<void> {
    const { schedules } = tenant.store;
    await tenant.runner.schedules.create(name, 'w', { every: '6h' });
    const known = (await schedules.get(name))!;
    const firings = Array.from({ length: 240 }, (_, no) => ({
      scheduledFor: known.createdAt - 60 * DAY + (no + 1) * 6 * HOUR,
      outcome: 'skipped' as const,
      dueAt: null,
      until: null,
      count: 1,
      start: null,
    }));
    const nextFor = known.createdAt + 61 * DAY;
    await schedules.fire([{ ...known, nextFor, nextAt: nextFor, firings }]);
  }

  it('keeps the firings of thirty days, and the latest hundred whatever their age', async () => {
    const { schedules } = tenant.runner;
    await schedules.pause('p');
    await record('s');
    age(29 * DAY);
    await prune();
    expect(await schedules.firings('s', { limit: 500 })).toHaveLength(240);
    age(2 * DAY);
    await prune();
    const left = await schedules.firings('s', { limit: 500 });
    expect(left).toHaveLength(101);
    expect(left.at(-1)).toMatchObject({ outcome: 'pruned', count: 140 });
  });

  it('lets a backfill know what has been fired', async () => {
    const { schedules } = tenant.runner;
    await schedules.pause('p');
    await record('s');
    const { createdAt } = (await schedules.get('s'))!;
    const from = new Date(createdAt.getTime() - 61 * DAY);
    const to = new Date(createdAt.getTime() - 59 * DAY);
    age(31 * DAY);
    await prune();
    // Five of them are before the first record.
    expect(await schedules.backfill('s', { from, to })).toEqual({ matched: 9, changed: 5 });
    expect(await countOf('w')).toBe(5);
    expect(await schedules.backfill('s', { from, to })).toEqual({ matched: 9, changed: 0 });
  });

  it('sends nothing while nothing fires, and at most a pass in ten minutes', async () => {
    const pruning = jest.spyOn(tenant.store.schedules, 'prune');
    await tenant.runner.schedules.pause('p');
    await pass(HOUR, MINUTE);
    expect(pruning).not.toHaveBeenCalled();
    await tenant.runner.schedules.create('s', 'w', { every: '1m' });
    await pass(HOUR, MINUTE);
    expect(pruning.mock.calls.length).toBeLessThanOrEqual(6);
    expect(pruning.mock.calls.length).toBeGreaterThanOrEqual(5);
  });

  it('reports the first of its failures, and goes on in the next round', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const pruning = jest
      .spyOn(tenant.store.schedules, 'prune')
      .mockRejectedValueOnce(new Error('The server is away.'))
      .mockRejectedValueOnce(new Error('The server is away.'));
    const sweep = new HistoryPass(() => [tenant.engine]);
    await clock.advance(HOUR);
    for (let round = 0; round < 4; round++) {
      await sweep.over(['t']);
      await sweep.whenIdle();
    }
    expect(pruning).toHaveBeenCalledTimes(3);
    const told = warn.mock.calls.filter(([text]) => String(text).includes('could not be deleted'));
    expect(told).toHaveLength(1);
    warn.mockRestore();
  });
});

describe('HistoryPass', () => {
  it('does not keep the sweep waiting, and goes through its tenants one after the other', async () => {
    const rounds: string[] = [];
    let done: () => void = () => undefined;
    const tenants = ['a', 'b', 'c'].map((name) => ({
      historyPruner: {
        round: () => {
          rounds.push(name);
          return new Promise<void>((resolve) => (done = resolve));
        },
      },
    }));
    const sweep = new HistoryPass((names) => tenants.filter((_, i) => names.includes('abc'[i]!)));
    await sweep.over(['a', 'b']);
    await sweep.over(['a', 'c']);
    expect(rounds).toEqual(['a']);
    for (let ended = 0; ended < 3; ended++) {
      done();
      await new ManualClock().advance(0);
    }
    // The first one has come again behind those that waited.
    expect(rounds).toEqual(['a', 'b', 'a', 'c']);
    done();
    await sweep.whenIdle();
  });
});
