import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PendingBound, type Admission } from '../../../lib/engine/queues/pending-bound.js';
import { QueueFullError } from '../../../lib/errors/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const MAX = 3;

let clock: ManualClock;
let bound: PendingBound;
/** What the rows say, and how often they were counted. */
let rows: { pending: number; counts: number; most: number };
beforeEach(() => {
  clock = new ManualClock();
  rows = { pending: 0, counts: 0, most: 0 };
  const pending = async (_: string, most: number): Promise<number> => {
    rows.counts++;
    rows.most = most;
    return Math.min(most, rows.pending);
  };
  bound = new PendingBound({ queues: { pending } }, clock);
});

/** Admits some at once; those that are admitted are stored, and have begun since. */
async function begun(count: number): Promise<number> {
  const admissions = await under(count);
  for (const stored of admissions) stored();
  return admissions.length;
}

/** Admits some at once, which are not stored yet. */
async function under(count: number): Promise<Admission[]> {
  const results = await Promise.allSettled(
    Array.from({ length: count }, () => bound.admit('w', MAX)),
  );
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

describe('PendingBound', () => {
  it('counts once for many starts, as far as the bound', async () => {
    expect(await begun(MAX)).toBe(MAX);
    expect(rows).toMatchObject({ counts: 1, most: MAX });
  });

  it('refuses by a count only: starts that have begun since make room', async () => {
    expect(await begun(MAX)).toBe(MAX);
    expect(await begun(2)).toBe(2);
    expect(rows.counts).toBe(2);
    rows.pending = MAX;
    expect(await begun(1)).toBe(1);
    await expect(bound.admit('w', MAX)).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      workflow: 'w',
      pending: MAX,
      maxPending: MAX,
    });
    await expect(bound.admit('w', MAX)).rejects.toBeInstanceOf(QueueFullError);
    expect(rows.counts).toBe(3);
  });

  it('counts what is admitted and not stored yet', async () => {
    const admissions = await under(MAX + 2);
    expect(admissions).toHaveLength(MAX);
    admissions[0]!();
    await clock.advance(300);
    // It has begun, by the rows; the others are still under way.
    expect(await under(2)).toHaveLength(1);
  });

  it('counts a full queue again after a while, and another workflow by itself', async () => {
    rows.pending = MAX;
    expect(await begun(5)).toBe(0);
    expect(rows.counts).toBe(1);
    rows.pending = MAX - 1;
    await clock.advance(300);
    expect(await begun(1)).toBe(1);
    await bound.admit('other', MAX);
    expect(rows.counts).toBe(3);
  });

  it('sees the starts of others within a second', async () => {
    expect(await begun(1)).toBe(1);
    rows.pending = MAX;
    expect(await begun(1)).toBe(1);
    await clock.advance(1_100);
    expect(await begun(1)).toBe(0);
  });

  it('admits by a count that took longer than it may be used', async () => {
    const slow = new PendingBound(
      { queues: { pending: () => clock.advance(5_000).then(() => MAX - 1) } },
      clock,
    );
    await slow.admit('w', MAX);
  });

  it('passes the failure of a count on, and counts again', async () => {
    const failing = new PendingBound(
      {
        queues: {
          pending: () =>
            rows.counts++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve(0),
        },
      },
      clock,
    );
    await expect(failing.admit('w', MAX)).rejects.toThrow('away');
    await failing.admit('w', MAX);
  });
});

describe('A start of a workflow with maxPending', () => {
  it('counts no more when it has thrown at once', async () => {
    const workflow = { ...registered([{ name: 'a' }]), queue: { maxPending: MAX } };
    const client = new MemoryProcess(clock, workflow, { tasks: 0 });
    await client.open();
    const start = jest.spyOn(client.engine.starts, 'start').mockImplementation(() => {
      throw new Error('Too many starts wait for the database.');
    });
    for (let n = 0; n < MAX; n++) {
      await expect(client.runner.start('w', {})).rejects.toThrow('Too many starts wait');
    }
    start.mockRestore();
    await clock.advance(2_000);
    await expect(client.runner.start('w', {})).resolves.toMatchObject({ created: true });
    await client.close();
  });
});
