import { expect, it } from '@jest/globals';
import { ProgressReads } from '../../../lib/store/postgres/progress-reads.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const refusal = Object.assign(new Error('cannot access unlogged relations during recovery'), {
  code: '0A000',
});

it('leaves progress out while the server refuses it, and asks again later', async () => {
  const clock = new ManualClock();
  const reads = new ProgressReads(clock);
  let isStandby = true;
  const asked: boolean[] = [];
  const read = async (isReadable: boolean): Promise<string> => {
    asked.push(isReadable);
    if (isReadable && isStandby) throw refusal;
    return 'rows';
  };
  expect([await reads.run(read), await reads.run(read)]).toEqual(['rows', 'rows']);
  expect(asked.splice(0)).toEqual([true, false, false]);
  isStandby = false;
  await clock.advance(10_000);
  await reads.run(read);
  expect(asked).toEqual([true]);
});

it('passes other failures on', async () => {
  const reads = new ProgressReads(new ManualClock());
  await expect(reads.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
});
