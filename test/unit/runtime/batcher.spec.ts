import { beforeEach, describe, expect, it } from '@jest/globals';
import { Batcher } from '../../../lib/runtime/batcher.js';
import type { BatcherOptions } from '../../../lib/runtime/batcher-options.js';
import type { Permit } from '../../../lib/runtime/permit.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { gate } from '../../support/gate.js';

let clock: ManualClock;
/** The batches that were sent, in order. */
let sent: number[][];
/** What a batch fails with. */
let failure: (items: readonly number[]) => Error | undefined;
/** What each statement waits for before it is executed. */
let ready: Promise<unknown>;
beforeEach(() => {
  clock = new ManualClock();
  sent = [];
  failure = () => undefined;
  ready = Promise.resolve();
});

function batcherOf(options: Partial<BatcherOptions<number, number>> = {}) {
  return new Batcher<number, number>({
    clock,
    maxItems: 2,
    send: async (items) => {
      sent.push([...items]);
      await ready;
      const error = failure(items);
      if (error !== undefined) throw error;
      return items.map((item) => item * 10);
    },
    classify: (error) => error as MemoryFailure,
    ...options,
  });
}

it('takes what resumed callers add in the same turn, if it awaits them', async () => {
  const batcher = batcherOf({ maxItems: 10, awaitsResumed: true });
  const open = gate();
  ready = open.passed;
  /** Adds three items, one after the result of the other, and some microtasks later. */
  const caller = async (first: number): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await batcher.add(first + i);
      for (let hop = 0; hop < 20; hop++) await Promise.resolve();
    }
  };
  const callers = [caller(10), caller(20)];
  await clock.advance(0);
  const late = [caller(30), caller(40)];
  open.open();
  for (let turn = 0; turn < 6; turn++) await clock.advance(0);
  await Promise.all([...callers, ...late]);
  expect(sent).toEqual([
    [10, 20],
    [30, 40, 11, 21],
    [31, 41, 12, 22],
    [32, 42],
  ]);
});

const away = () => new MemoryFailure('connection', 'away');
const locked = () => new MemoryFailure('conflict', 'locked');

describe('Batcher', () => {
  it('sends no more items, and no more weight, than one statement takes', async () => {
    const batcher = batcherOf({ weight: (item) => item, maxWeight: 10 });
    await Promise.all([6, 6, 1, 1, 50].map((item) => batcher.add(item)));
    expect(sent).toEqual([[6], [6, 1], [1], [50]]);
  });

  it('sends another statement beside one under way once it would be full', async () => {
    const { passed, open } = gate();
    ready = passed;
    const batcher = batcherOf({ maxStatements: 2 });
    const all = [batcher.add(1)];
    await clock.advance(0);
    all.push(batcher.add(2));
    await clock.advance(0);
    expect(sent).toEqual([[1]]);
    all.push(batcher.add(3), batcher.add(4), batcher.add(5));
    await clock.advance(0);
    expect(sent).toEqual([[1], [2, 3]]);
    open();
    expect(await Promise.all(all)).toEqual([10, 20, 30, 40, 50]);
    expect(sent).toEqual([[1], [2, 3], [4, 5]]);
  });

  describe('with permits', () => {
    /** One for each permit that was asked for, in order. */
    let permits: { grant: () => void; released: number }[];
    let permit: () => Promise<Permit>;
    beforeEach(() => {
      permits = [];
      permit = () =>
        new Promise((resolve) => {
          const asked = {
            released: 0,
            grant: () => resolve({ release: () => void asked.released++ }),
          };
          permits.push(asked);
        });
    });

    it('forms a batch when there is a connection for it', async () => {
      const batcher = batcherOf({ permit, maxItems: 3 });
      const all = [batcher.add(1)];
      await clock.advance(0);
      all.push(batcher.add(2), batcher.add(3));
      await clock.advance(0);
      expect([sent, permits.length]).toEqual([[], 1]);
      permits[0]?.grant();
      expect(await Promise.all(all)).toEqual([10, 20, 30]);
      await clock.advance(0);
      expect([sent, permits.map(({ released }) => released)]).toEqual([[[1, 2, 3]], [1]]);
    });

    it('asks for another one only for items that fill a batch of their own', async () => {
      const batcher = batcherOf({ permit, maxStatements: 2 });
      const all = [1, 2, 3].map((item) => batcher.add(item));
      await clock.advance(0);
      expect(permits).toHaveLength(1);
      all.push(batcher.add(4));
      await clock.advance(0);
      expect(permits).toHaveLength(2);
      for (const { grant } of permits) grant();
      await Promise.all(all);
      expect(sent).toEqual([
        [1, 2],
        [3, 4],
      ]);
    });

    it('releases it after a failure too', async () => {
      failure = () => new MemoryFailure('data', 'bad');
      const adding = batcherOf({ permit }).add(1);
      await clock.advance(0);
      permits[0]?.grant();
      await expect(adding).rejects.toThrow('bad');
      await clock.advance(0);
      expect(permits[0]?.released).toBe(1);
    });
  });

  it('rejects only the item that cannot be stored', async () => {
    failure = (items) => (items.includes(3) ? new MemoryFailure('data', 'bad') : undefined);
    const batcher = batcherOf({ maxItems: 4 });
    const results = await Promise.allSettled([1, 2, 3, 4].map((item) => batcher.add(item)));
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(batcher.size).toBe(0);
  });

  it.each([true, false])(
    'tells whether an earlier statement may have been executed: %p',
    async (mayBeWritten) => {
      const told: boolean[] = [];
      const batcher = batcherOf({
        send: async (items, resent) => {
          told.push(resent);
          if (told.length === 1) throw new MemoryFailure('connection', 'lost', { mayBeWritten });
          return items;
        },
      });
      const result = batcher.add(1);
      await clock.advance(0);
      await clock.advance(1_000);
      expect([await result, told]).toEqual([1, [false, mayBeWritten]]);
    },
  );

  it('reports once what has waited for more than five seconds', async () => {
    const reported: number[][] = [];
    failure = away;
    const batcher = batcherOf({ late: (items) => reported.push([...items]) });
    const result = batcher.add(1);
    await clock.advance(0);
    await clock.advance(4_000);
    expect(reported).toEqual([]);
    await clock.advance(60_000);
    expect(reported).toEqual([[1]]);
    failure = () => undefined;
    await clock.advance(60_000);
    expect(await result).toBe(10);
  });

  it('gives up what waits behind a statement for a database that is away', async () => {
    failure = away;
    const giveUp: BatcherOptions<number, number>['giveUp'] = (item, _, { waitedMs }) =>
      waitedMs >= 2_000 ? new Error(`gave up ${item}`) : undefined;
    const batcher = batcherOf({ maxItems: 1, giveUp });
    const results = Promise.allSettled([batcher.add(1), batcher.add(2)]);
    await clock.advance(0);
    await clock.advance(10_000);
    expect(await results).toMatchObject([
      { reason: { message: 'gave up 1' } },
      { reason: { message: 'gave up 2' } },
    ]);
    expect(sent.flat()).not.toContain(2);
  });

  it('sends alone what was refused by a lock, and the rest beside it', async () => {
    failure = (items) => (items.includes(1) && clock.now() < 100 ? locked() : undefined);
    const batcher = batcherOf();
    const [held, free] = [batcher.add(1), batcher.add(2)];
    expect(await free).toBe(20);
    await clock.advance(500);
    expect(await held).toBe(10);
    expect(sent.slice(0, 3)).toEqual([[1, 2], [1], [2]]);
  });

  it('tries as many locked items at once as it is told', async () => {
    failure = locked;
    const batcher = batcherOf({ maxItems: 4, locked: { atOnce: 1, pauseMs: 0 } });
    const results = Promise.allSettled([1, 2, 3, 4].map((item) => batcher.add(item)));
    await clock.advance(0);
    // Each has been tried alone once, and rests.
    const first = sent.length;
    const { passed, open } = gate();
    ready = passed;
    await clock.advance(1_000);
    expect(sent.length).toBe(first + 1);
    failure = () => undefined;
    open();
    await clock.advance(1_000);
    expect(await results).toMatchObject([10, 20, 30, 40].map((value) => ({ value })));
  });

  it('gives up what waits for its turn alone behind slow statements', async () => {
    const { passed, open } = gate();
    failure = (items) => {
      if (items.length === 1) return undefined;
      ready = passed;
      return locked();
    };
    const giveUp: BatcherOptions<number, number>['giveUp'] = (item, _, { waitedMs }) =>
      waitedMs >= 1_000 ? new Error(`gave up ${item}`) : undefined;
    const batcher = batcherOf({ maxItems: 5, giveUp });
    const results = Promise.allSettled([1, 2, 3, 4, 5].map((item) => batcher.add(item)));
    await clock.advance(0);
    await clock.advance(2_000);
    open();
    expect(await results).toMatchObject([
      { value: 10 },
      { value: 20 },
      { value: 30 },
      { reason: { message: 'gave up 4' } },
      { reason: { message: 'gave up 5' } },
    ]);
    expect(sent.slice(1)).toEqual([[1], [2], [3]]);
  });

  it('rejects what rests because of a lock when it is closed', async () => {
    failure = locked;
    const batcher = batcherOf();
    const result = batcher.add(1);
    await clock.advance(0);
    const rejected = expect(result).rejects.toThrow('Closed');
    batcher.close();
    await rejected;
    expect([batcher.size, clock.waiting]).toEqual([0, 0]);
  });
});
