import { expect, it } from '@jest/globals';
import { TenantReads } from '../../../lib/dashboard/tenant-reads.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';
import { notePoolSize } from '../../../lib/tenants/hosting/pool-sizes.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const acme = { name: 'acme' } as Tenant;
const globex = { name: 'globex' } as Tenant;
const MINUTE = 60_000;

function kept<T>(key: string, read: () => Promise<T>) {
  return { key, minAgeMs: MINUTE, read };
}

it('a read that was under way at a change does not count as read after it', async () => {
  const reads = new TenantReads(systemClock);
  let answer: (value: string) => void = () => undefined;
  const slow = () => new Promise<string>((resolve) => (answer = resolve));
  const before = reads.one(acme, kept('numbers', slow));
  reads.forget('acme');
  const after = reads.one(
    acme,
    kept('numbers', async () => 'new'),
  );
  answer('old');
  expect([await before, await after]).toEqual(['old', 'new']);

  const late = reads.one(acme, kept('late', slow));
  reads.forget('acme');
  answer('old');
  await late;
  expect(
    await reads.one(
      acme,
      kept('late', async () => 'new'),
    ),
  ).toBe('new');
});

it('keeps a bounded number of values, whatever keys users choose', async () => {
  const reads = new TenantReads(systemClock);
  let count = 0;
  const read = async (): Promise<number> => ++count;
  for (let no = 0; no < 2_000; no++) await reads.one(acme, kept(`series ${no}`, read));
  expect(await reads.one(acme, kept('series 1999', read))).toBe(2_000);
  expect(await reads.one(acme, kept('series 0', read))).toBe(2_001);
});

it('a value that stays the same is read less and less often, at least each minute', async () => {
  const clock = new ManualClock();
  const reads = new TenantReads(clock);
  const readAt: number[] = [];
  const of = {
    key: 'numbers',
    minAgeMs: 5_000,
    read: async () => {
      readAt.push(clock.now() / 1_000);
      return 'same';
    },
  };
  for (let second = 0; second < 300; second++) {
    reads.refresh([acme], of);
    await clock.advance(0);
    await clock.advance(1_000);
  }
  expect(readAt).toEqual([0, 5, 15, 35, 75, 135, 195, 255]);
  const { version } = reads;
  reads.forget('acme');
  reads.refresh([acme], of);
  await clock.advance(0);
  expect([readAt.length, readAt.at(-1)]).toEqual([9, 300]);
  // The same value is no change for a page.
  expect(reads.version).toBe(version);
});

it('a tenant that changes all the time is read once a second, and its user does not wait', async () => {
  const clock = new ManualClock();
  const reads = new TenantReads(clock);
  let count = 0;
  const of = kept('numbers', async () => ++count);
  await reads.one(acme, of);
  reads.forget('acme');
  const throttled = [reads.one(acme, of), reads.one(acme, of)];
  await clock.advance(999);
  expect(count).toBe(1);
  await clock.advance(1);
  expect(await Promise.all(throttled)).toEqual([2, 2]);
  reads.forget('acme', true);
  expect(await reads.one(acme, of)).toBe(3);
});

it('a tenant that changes faster than it is read is read one at a time, and each read counts', async () => {
  const clock = new ManualClock();
  const reads = new TenantReads(clock);
  const answers: ((value: number) => void)[] = [];
  const of = kept('numbers', () => new Promise<number>((resolve) => answers.push(resolve)));
  const known = async (): Promise<number[]> => {
    await clock.advance(0);
    const page = reads.many([acme], of, 0);
    await clock.advance(0);
    return (await page).values.map(({ value }) => value);
  };
  const change = async (): Promise<void> => {
    reads.forget('acme');
    reads.refresh([acme], of);
    await clock.advance(2_000);
  };
  const first = reads.one(acme, of);
  answers[0]?.(1);
  await first;
  for (let no = 0; no < 5; no++) await change();
  // The second read is under way since the first change, and one more waits for its end.
  expect(answers).toHaveLength(2);
  answers[1]?.(2);
  expect(await known()).toEqual([2]);
  for (let no = 0; no < 5; no++) await change();
  expect(answers).toHaveLength(3);
  answers[2]?.(3);
  expect(await known()).toEqual([3]);
});

it('requests at the same time share a read, and later ones do not', async () => {
  const reads = new TenantReads(systemClock);
  let count = 0;
  const read = async (): Promise<number> => ++count;
  const same = [reads.now(acme, 'list', read), reads.now(acme, 'list', read)];
  const others = [reads.now(acme, 'list 2', read), reads.now(globex, 'list', read)];
  expect(await Promise.all([...same, ...others])).toEqual([1, 1, 2, 3]);
  expect(await reads.now(acme, 'list', read)).toBe(4);
});

it('a server that does not answer delays no read of another', async () => {
  const reads = new TenantReads(systemClock);
  const never = () => new Promise<number>(() => undefined);
  const on = (server: string, no: number) => ({ name: `${server} ${no}`, server }) as Tenant;
  for (let no = 0; no < 10; no++) {
    void reads.one(on('us', no), kept('numbers', never));
    void reads.now(on('us', no), 'list', never);
  }
  const ofEu = on('eu', 1);
  expect(
    await reads.one(
      ofEu,
      kept('numbers', async () => 1),
    ),
  ).toBe(1);
  expect(await reads.now(ofEu, 'list', async () => 2)).toBe(2);
});

it('reads take at most half of the connections of a small pool, at least one', async () => {
  for (const [size, expected] of [
    [3, 1],
    [10, 5],
    [1, 1],
    [40, 10],
  ] as const) {
    const tenants = Array.from({ length: 12 }, (_, no) => ({ name: `t${no}` }) as Tenant);
    for (const tenant of tenants) notePoolSize(tenant, () => size);
    const reads = new TenantReads(systemClock);
    const ends: (() => void)[] = [];
    let [most, busy] = [0, 0];
    const read = async (): Promise<void> => {
      most = Math.max(most, ++busy);
      await new Promise<void>((resolve) => ends.push(resolve));
      busy--;
    };
    const all = Promise.all(
      tenants.flatMap((tenant) => [
        reads.one(tenant, kept('numbers', read)),
        reads.now(tenant, 'list', read),
      ]),
    );
    const over = new AbortController();
    void all.then(() => over.abort());
    while (!over.signal.aborted) {
      ends.shift()?.();
      await Promise.resolve();
    }
    expect([size, most]).toEqual([size, expected]);
  }
});
