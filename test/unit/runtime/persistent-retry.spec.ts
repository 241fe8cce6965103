import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DatabaseUnavailableError, UnknownExecutionError } from '../../../lib/errors/index.js';
import { PersistentRetry } from '../../../lib/runtime/persistent-retry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { classifyFailure } from '../../../lib/testing/memory-store/memory-failure.js';

let clock: ManualClock;
let retry: PersistentRetry;
let logged: string[];
beforeEach(() => {
  clock = new ManualClock();
  retry = new PersistentRetry('t', { classifyFailure }, clock);
  logged = [];
  Logger.overrideLogger({
    log: () => undefined,
    error: () => undefined,
    warn: (message: string) => void logged.push(message),
  });
});

/** Fails with the error until `ms` milliseconds have passed; then it returns whether it was told that it is sent again. */
function failingFor(ms: number, error: Error) {
  const until = clock.now() + ms;
  return (resent: boolean): Promise<boolean> =>
    clock.now() < until ? Promise.reject(error) : Promise.resolve(resent);
}

async function pass(seconds: number): Promise<void> {
  for (let n = 0; n < seconds; n++) await clock.advance(1_000);
}

describe('PersistentRetry', () => {
  it.each([
    new MemoryFailure('connection', 'away'),
    new MemoryFailure('conflict'),
    new MemoryFailure('passing'),
    new DatabaseUnavailableError({ waitedMs: 1 }),
  ])('repeats what meets %p until it succeeds, and tells of it once a minute', async (error) => {
    const result = retry.run(failingFor(100_000, error));
    await pass(102);
    expect(await result).toBe(false);
    expect(logged).toHaveLength(2);
    expect(logged[0]).toMatch(/^Tenant "t": a statement .* has failed for \d+ s/);
  });

  it('tells the work that an earlier run may have been written', async () => {
    const lost = new MemoryFailure('connection', 'lost', { mayBeWritten: true });
    const result = retry.run(failingFor(1, lost));
    await pass(3);
    expect(await result).toBe(true);
    expect(logged).toEqual([]);
  });

  it.each([
    new MemoryFailure('refused'),
    new MemoryFailure('data'),
    new Error('a bug'),
    new UnknownExecutionError('x', 't'),
  ])('gives up at %p', async (error) => {
    await expect(retry.run(failingFor(1_000, error))).rejects.toBe(error);
  });

  it('gives up when it is closed', async () => {
    const error = new MemoryFailure('connection', 'away');
    const result = retry.run(() => Promise.reject(error));
    const ended = expect(result).rejects.toBe(error);
    await pass(3);
    retry.close();
    await pass(3);
    await ended;
  });
});
