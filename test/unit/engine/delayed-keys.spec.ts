import { expect, it } from '@jest/globals';
import { DelayedKeys } from '../../../lib/engine/limits/delayed-keys.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

it('keys are due at their own times, and at the earlier one of two', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const delayed = new DelayedKeys(clock, (keys) => seen.push(`${clock.now()} ${keys.join()}`));
  const from = clock.now();
  delayed.add('late', 30);
  delayed.add('early', 10);
  delayed.add('late', 20);
  delayed.add('early', 40);
  delayed.add('never', 1_000);
  await clock.advance(50);
  expect(seen).toEqual([`${from + 10} early`, `${from + 20} late`]);
  delayed.close();
  await clock.advance(2_000);
  expect(seen).toHaveLength(2);
});
