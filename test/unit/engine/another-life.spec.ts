import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

let clock: ManualClock;
let process: MemoryProcess;
let release: () => void = () => undefined;

async function pass(): Promise<void> {
  for (let turns = 0; turns < 100; turns++) await clock.advance(20);
}

beforeEach(async () => {
  clock = new ManualClock();
  const run = (): Promise<void> => new Promise((resolve) => (release = resolve));
  process = new MemoryProcess(clock, registered([{ name: 'a' }], { handlers: { a: { run } } }));
  await process.open();
});
afterEach(async () => {
  release();
  await pass();
  await process.close();
});

/** How often the process doubts what it remembers of the tenant when it reconnects to this life of the server. */
async function doubtsOf(life: string | undefined): Promise<number> {
  const doubt = jest.spyOn(process.engine, 'doubt');
  process.reconnect(life);
  await pass();
  return doubt.mock.calls.length;
}

it('A process with claims doubts them once when the server begins another life, and goes on', async () => {
  const id = await process.start();
  await pass();
  expect(await doubtsOf(undefined)).toBe(0);
  expect(await doubtsOf('next')).toBe(1);
  expect(await doubtsOf('next')).toBe(1);
  release();
  await pass();
  expect(await process.statusOf(id)).toBe('Completed');
  expect(await process.task(id)).toMatchObject({ recoveryAttempts: 0 });
});

it('One with nothing under way remembers nothing that it could doubt', async () => {
  expect(await doubtsOf('next')).toBe(0);
});
