import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ItemContext } from '../../../lib/discovery/map-options.js';
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
let run: (context: ItemContext) => unknown;

/** Opens a process whose workflow is a map. */
async function open(onItemFailure: 'fail' | 'failFast' = 'fail'): Promise<void> {
  const node = { kind: 'map', collect: true, onItemFailure } as const;
  const workflow = registered([{ name: 'm', retry: { maxAttempts: 1 }, timeout: 600_000, node }], {
    handlers: { m: { run: (context) => run(context as unknown as ItemContext) } },
  });
  process = new MemoryProcess(clock, { ...workflow, inputs: new Map([['m', () => items()]]) });
  await process.open();
}

beforeEach(() => {
  clock = new ManualClock();
  items = () => [1, 2, 3];
  run = () => undefined;
});
afterEach(() => process.close());

/** From now on, and for {@link AWAY_MS}, the database does not answer these statements, or refuses them. */
function away(method: keyof ItemStore, kind: MemoryFailure['kind'] = 'connection'): void {
  const store = process.store.items;
  const real = store[method].bind(store) as (...args: unknown[]) => Promise<unknown>;
  const until = clock.now() + AWAY_MS;
  const send = (...args: unknown[]): Promise<unknown> =>
    clock.now() < until ? Promise.reject(new MemoryFailure(kind, 'away')) : real(...args);
  Object.assign(store, { [method]: send });
}

async function pass(): Promise<void> {
  for (let seconds = 0; seconds < (2 * AWAY_MS) / 1_000; seconds++) await clock.advance(1_000);
}

describe('A map whose database is away for longer than a start waits', () => {
  it.each(['state', 'append', 'results', 'read'] as const)(
    'while it is sent %s goes on afterwards, and has lost no attempt',
    async (method) => {
      await open();
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
    await open();
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

  it.each([
    ['fail', 'connection'],
    ['failFast', 'connection'],
    ['failFast', 'bug'],
  ] as const)(
    'with %s, while it cancels its items (%s), runs none of them again and charges none with a recovery',
    async (onItemFailure, kind) => {
      await open(onItemFailure);
      const runs = new Map<unknown, number>();
      run = async ({ item, signal }) => {
        runs.set(item, (runs.get(item) ?? 0) + 1);
        if (onItemFailure === 'failFast' && item === 0) throw new NonRetryableError('the first');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      };
      items = function* () {
        yield* Array.from({ length: onItemFailure === 'fail' ? 5_000 : 30 }, (_, n) => n);
        if (onItemFailure === 'fail') throw new NonRetryableError('no more');
      };
      away('cancel', kind);
      const id = await process.start();
      await pass();
      expect(await process.statusOf(id)).toBe('Failed');
      const { database, schema } = process.store;
      expect(database.tables(schema).recoveryEvents).toEqual([]);
      expect(Math.max(...runs.values())).toBe(1);
    },
  );
});
