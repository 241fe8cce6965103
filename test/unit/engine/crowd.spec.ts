import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { tagOf } from '../../../lib/engine/process/notification.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import { registered } from './engine-scene.js';
import { ADDRESS, MemoryProcess } from './memory-process.js';

// Sixteen processes on a store in memory, and one that runs no tasks itself.

const WORKERS = 16;

let clock: ManualClock;
let database: MemoryDatabase;
let client: MemoryProcess;
let workers: MemoryProcess[];
/** The statements that claim, by the number of tasks that they took. */
let claims: number[];
let heard: string[];
/** What the handlers wait for. */
let held: Promise<void> | undefined;

beforeEach(async () => {
  clock = new ManualClock({ chance: 0 });
  database = new MemoryDatabase(clock);
  [claims, heard, held] = [[], [], undefined];
  const workflow = registered([{ name: 'a' }], { handlers: { a: { run: () => held } } });
  const create = (tasks: number) => new MemoryProcess(clock, workflow, { database, tasks });
  workers = Array.from({ length: WORKERS }, () => create(10));
  client = create(0);
  for (const process of [...workers, client]) {
    await process.open();
    const claim = process.store.claim.bind(process.store);
    process.store.claim = async (...args) => {
      const claimed = await claim(...args);
      claims.push(claimed.length);
      return claimed;
    };
  }
  await clock.advance(0);
  database.listen((payload) => heard.push(payload));
});
afterEach(async () => {
  for (const process of [...workers, client]) {
    const closing = process.close().then(() => 'closed' as const);
    while ((await Promise.race([closing, clock.advance(1_000)])) !== 'closed');
  }
});

const statuses = (ids: readonly string[]) =>
  Promise.all(ids.map(async (id) => client.statusOf(id)));

describe('Sixteen idle processes', () => {
  it('send one statement for one task, at once', async () => {
    const id = await client.start();
    await clock.advance(0);
    expect(await client.statusOf(id)).toBe('Completed');
    expect(claims).toEqual([1]);
    expect(heard).toEqual([`w${ADDRESS}:${tagOf(workers[0]!.lock)}`]);
    // No other process looks later.
    await clock.advance(1_000);
    expect([claims, heard.length]).toEqual([[1], 1]);
  });

  it('take a task that the named process leaves, as soon as the sender looks', async () => {
    workers[0]!.hang();
    const id = await client.start();
    await clock.advance(49);
    expect(await client.statusOf(id)).toBe('Pending');
    await clock.advance(1);
    expect(await client.statusOf(id)).toBe('Completed');
    expect(heard).toEqual([`w${ADDRESS}:${tagOf(workers[0]!.lock)}`, `w${ADDRESS}`]);
    // The next task goes to another process at once.
    const next = await client.start();
    await clock.advance(0);
    expect(await client.statusOf(next)).toBe('Completed');
  });

  it('take a task at once that the named process has no slot for', async () => {
    let release: () => void = () => undefined;
    held = new Promise((resolve) => (release = resolve));
    const first = await Promise.all(Array.from({ length: 10 }, () => workers[0]!.start()));
    await clock.advance(20);
    held = undefined;
    const id = await client.start();
    await clock.advance(0);
    expect(await client.statusOf(id)).toBe('Completed');
    expect(heard.at(-1)).toBe(`w${ADDRESS}!${tagOf(workers[0]!.lock)}`);
    expect(new Set(await statuses(first))).toEqual(new Set(['Running']));
    release();
  });

  it('share long tasks, each with as many as it has slots, without time passing', async () => {
    let release: () => void = () => undefined;
    held = new Promise((resolve) => (release = resolve));
    await Promise.all(Array.from({ length: 160 }, () => client.start()));
    await clock.advance(60);
    expect(workers.map(({ engine }) => engine.claims.size)).toEqual(workers.map(() => 10));
    release();
  });
});
