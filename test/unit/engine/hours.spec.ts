import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineLimit } from '../../../lib/discovery/define-limit.js';
import type { TaskHandler } from '../../../lib/discovery/registered-workflow.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

// A whole process on a store in memory and a clock that stands still: hours of work in milliseconds.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let clock: ManualClock;
let open: MemoryProcess | undefined;
/** At which minute each handler began. */
let begun: number[];
beforeEach(() => {
  clock = new ManualClock();
  begun = [];
});
afterEach(async () => {
  const closing = open?.close().then(() => 'closed' as const) ?? 'closed';
  // A handler that goes on is waited for, by a clock that stands still.
  const passed = (): Promise<unknown> => Promise.race([closing, clock.advance(1_000)]);
  while ((await passed()) !== 'closed');
  open = undefined;
});

async function serve(
  task: Partial<TaskSource>,
  handler: TaskHandler['run'] = () => undefined,
  timeout?: number,
): Promise<MemoryProcess> {
  const run: TaskHandler['run'] = (context) => {
    begun.push(Math.floor(clock.now() / MINUTE_MS));
    return handler(context);
  };
  const workflow = registered([{ name: 'a', ...task }], {
    handlers: { a: { run } },
    ...(timeout === undefined ? {} : { timeout }),
  });
  open = new MemoryProcess(clock, workflow);
  await open.open();
  return open;
}

/** A minute at a time: what a timer sets off may take some turns of the event loop, and sets the next one. */
async function pass(minutes: number): Promise<void> {
  for (let i = 0; i < minutes; i++) {
    await clock.advance(MINUTE_MS);
    for (let turns = 0; turns < 10; turns++) await clock.advance(0);
  }
}

describe('A process whose clock a test moves on', () => {
  it('makes the next attempt after the delay, and not before', async () => {
    const retry = { maxAttempts: 3, delay: HOUR_MS, jitter: false } as const;
    const process = await serve({ retry }, ({ attempt }) => {
      if (attempt < 3) throw new Error('not yet');
    });
    const id = await process.start();
    await pass(59);
    expect([begun, (await process.task(id)).status]).toEqual([[0], 'Ready']);
    await pass(130);
    expect(await process.statusOf(id)).toBe('Completed');
    expect(begun).toEqual([0, 60, 120]);
  });

  it('begins a start that was put off for a day', async () => {
    const process = await serve({});
    const id = await process.start(24 * HOUR_MS);
    await pass(24 * 60 - 1);
    expect([begun, await process.statusOf(id)]).toEqual([[], 'Pending']);
    await pass(2);
    expect([begun, await process.statusOf(id)]).toEqual([[24 * 60], 'Completed']);
  });

  it('begins the next attempt of a task with a limit when the handler of the last one returns', async () => {
    let release: () => void = () => undefined;
    const limit = defineLimit('slots', { concurrency: 1 });
    const retry = { maxAttempts: 2, delay: 0 };
    const process = await serve({ limit, retry, timeout: MINUTE_MS }, ({ attempt }) =>
      attempt === 1 ? new Promise<void>((resolve) => (release = resolve)) : undefined,
    );
    const { id } = await process.runner.start('w');
    await pass(1);
    await clock.advance(MINUTE_MS / 2);
    expect([begun, (await process.task(id)).status]).toEqual([[0], 'Ready']);
    release();
    for (let turns = 0; turns < 20; turns++) await clock.advance(0);
    expect([begun, await process.statusOf(id)]).toEqual([[0, 1], 'Completed']);
  });

  it('fails an attempt that takes longer than its timeout', async () => {
    const process = await serve(
      { timeout: 2 * HOUR_MS, retry: { maxAttempts: 1 } },
      ({ signal }) =>
        new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    const id = await process.start();
    await pass(119);
    expect(await process.statusOf(id)).toBe('Running');
    await pass(2);
    const { error } = await process.task(id);
    expect([await process.statusOf(id), JSON.parse(error!)]).toMatchObject([
      'Failed',
      { name: 'TaskTimeoutError' },
    ]);
  });

  it('ends an execution whose workflow timeout is over while its task waits', async () => {
    const process = await serve(
      {},
      (context) => context.deferUntil(() => false, { every: 5 * HOUR_MS }),
      3 * HOUR_MS,
    );
    const id = await process.start();
    await pass(179);
    expect(await process.statusOf(id)).toBe('Running');
    await pass(2);
    expect([begun, await process.statusOf(id)]).toEqual([[0], 'Failed']);
  });

  it('keeps its lease for as long as it holds a claim, and lets go of it after', async () => {
    let end: () => void = () => undefined;
    const process = await serve(
      { timeout: 5 * HOUR_MS },
      () => new Promise<void>((resolve) => (end = resolve)),
    );
    const id = await process.start();
    await pass(60);
    const [lease] = process.store.handle.leases.values();
    expect(lease!.expiresAt).toBeGreaterThan(clock.wallTime());
    end();
    await pass(1);
    expect([await process.statusOf(id), process.store.handle.leases.size]).toEqual([
      'Completed',
      0,
    ]);
  });
});
