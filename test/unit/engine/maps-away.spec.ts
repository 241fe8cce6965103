import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NonRetryableError } from '../../../lib/errors/index.js';
import type { ItemStore } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

/** Longer than the `startTimeout` of the process. */
const AWAY_MS = 150_000;

let clock: ManualClock;
let process: MemoryProcess;
let items: () => Iterable<number>;

beforeEach(async () => {
  clock = new ManualClock();
  const node = { kind: 'map', collect: true } as const;
  const workflow = registered([{ name: 'm', retry: { maxAttempts: 1 }, timeout: 600_000, node }]);
  process = new MemoryProcess(clock, { ...workflow, inputs: new Map([['m', () => items()]]) });
  await process.open();
  items = () => [1, 2, 3];
});
afterEach(() => process.close());

/** From now on, and for {@link AWAY_MS}, the database does not answer these statements. */
function away(method: keyof ItemStore): void {
  const store = process.store.items;
  const real = store[method].bind(store) as (...args: unknown[]) => Promise<unknown>;
  const until = clock.now() + AWAY_MS;
  const send = (...args: unknown[]): Promise<unknown> =>
    clock.now() < until ? Promise.reject(new MemoryFailure('connection', 'away')) : real(...args);
  Object.assign(store, { [method]: send });
}

async function pass(): Promise<void> {
  for (let seconds = 0; seconds < (2 * AWAY_MS) / 1_000; seconds++) await clock.advance(1_000);
}

describe('A map whose database is away for longer than a start waits', () => {
  it.each(['state', 'append', 'results', 'read'] as const)(
    'while it is sent %s goes on afterwards, and has lost no attempt',
    async (method) => {
      away(method);
      const id = await process.start();
      await pass();
      expect(await process.task(id)).toMatchObject({
        status: 'Completed',
        attempt: 0,
        recoveryAttempts: 0,
      });
    },
  );

  it('while it cancels its items fails afterwards, and is not recovered', async () => {
    let runs = 0;
    items = function* () {
      runs++;
      yield* Array.from({ length: 5_000 }, (_, n) => n);
      throw new NonRetryableError('no more');
    };
    away('cancel');
    const id = await process.start();
    await pass();
    expect(await process.statusOf(id)).toBe('Failed');
    expect(runs).toBe(1);
    const { database, schema } = process.store;
    const { recoveryEvents } = database.tables(schema);
    expect(recoveryEvents.filter(({ itemNo }) => itemNo === 0)).toEqual([]);
  });
});
