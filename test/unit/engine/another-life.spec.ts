import { expect, it } from '@jest/globals';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

/** What becomes of a running task when the process reconnects, and finds no lease. */
async function reconnected(life: string | undefined): Promise<[string, boolean]> {
  const clock = new ManualClock();
  let signal: AbortSignal | undefined;
  let release: () => void = () => undefined;
  const run = (context: { readonly signal: AbortSignal }): Promise<void> => {
    signal = context.signal;
    return new Promise((resolve) => (release = resolve));
  };
  const process = new MemoryProcess(clock, registered([{ name: 'a' }], { handlers: { a: { run } } }));
  const pass = async (): Promise<void> => {
    for (let turns = 0; turns < 100; turns++) await clock.advance(20);
  };
  await process.open();
  const id = await process.start();
  await pass();
  const { leases } = process.store.database.tables(process.store.schema);
  expect([signal?.aborted, leases.size]).toEqual([false, 1]);
  leases.clear();
  process.reconnect(life);
  await pass();
  const isAborted = signal?.aborted === true;
  release();
  await pass();
  const status = await process.statusOf(id);
  await process.close();
  return [status, isAborted];
}

it('A server in its next life may have lost the lease: a claim that it has goes on', async () => {
  expect(await reconnected('next')).toEqual(['Completed', false]);
});

it('In the same life, a lease that is gone was ended by another process: its claims are lost', async () => {
  expect(await reconnected(undefined)).toEqual(['Running', true]);
});
