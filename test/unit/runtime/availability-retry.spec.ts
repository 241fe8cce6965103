import { expect, it } from '@jest/globals';
import { AvailabilityRetry } from '../../../lib/runtime/availability-retry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import {
  classifyFailure,
  MemoryFailure,
} from '../../../lib/testing/memory-store/memory-failure.js';

it('a call that may have been executed once is sent as such from then on', async () => {
  const clock = new ManualClock();
  const retry = new AvailabilityRetry('t', { classifyFailure }, 60_000, clock);
  const failures = (['conflict', 'connection', 'conflict'] as const).map(
    (kind) => new MemoryFailure(kind),
  );
  const sends: boolean[] = [];
  const done = retry.run(async (resent) => {
    sends.push(resent);
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return 'done';
  });
  for (let n = 0; n < 5; n++) {
    await clock.advance(0);
    await clock.advance(5_000);
  }
  expect([await done, sends]).toEqual(['done', [false, false, true, true]]);
});
