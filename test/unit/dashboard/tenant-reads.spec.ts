import { expect, it } from '@jest/globals';
import { TenantReads } from '../../../lib/dashboard/tenant-reads.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';

const acme = { name: 'acme' } as Tenant;
const MINUTE = 60_000;

it('a read that was under way at a change does not count as read after it', async () => {
  const reads = new TenantReads();
  let answer: (value: string) => void = () => undefined;
  const before = reads.one(acme, 'numbers', MINUTE, () => new Promise<string>((r) => (answer = r)));
  reads.forget('acme');
  const after = reads.one(acme, 'numbers', MINUTE, async () => 'new');
  answer('old');
  expect([await before, await after]).toEqual(['old', 'new']);

  const late = reads.one(acme, 'late', MINUTE, () => new Promise<string>((r) => (answer = r)));
  reads.forget('acme');
  answer('old');
  await late;
  expect(await reads.one(acme, 'late', MINUTE, async () => 'new')).toBe('new');
});

it('keeps a bounded number of values, whatever keys users choose', async () => {
  const reads = new TenantReads();
  let count = 0;
  const read = async (): Promise<number> => ++count;
  for (let no = 0; no < 2_000; no++) await reads.one(acme, `series ${no}`, MINUTE, read);
  expect(await reads.one(acme, 'series 1999', MINUTE, read)).toBe(2_000);
  expect(await reads.one(acme, 'series 0', MINUTE, read)).toBe(2_001);
});
