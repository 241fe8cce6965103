import { expect, it } from '@jest/globals';
import { DatabaseUnavailableError, MigrationError } from '../../../lib/errors/index.js';
import { ServedCalls } from '../../../lib/runner/served-calls.js';
import { TenantArrival } from '../../../lib/tenants/hosting/tenant-arrival.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const place = { host: 'us.internal', port: 5432, database: 'shop', server: 'us' };

function away() {
  const clock = new ManualClock();
  const failure = new DatabaseUnavailableError({ waitedMs: 1, place });
  const arrival = new TenantArrival({
    clock,
    tenant: 'acme',
    place,
    timeoutMs: 1_000,
    failure,
    reach: async () => {},
  });
  const served = new ServedCalls('acme', () => (closed) => arrival.wait(closed));
  const calls: string[] = [];
  const call = async (name: string): Promise<string> => {
    calls.push(name);
    return name;
  };
  return { clock, arrival, served, calls, call };
}

it('holds calls until the schema is migrated', async () => {
  const { arrival, served, calls, call } = away();
  const held = served.run(() => call('held'));
  await Promise.resolve();
  expect(calls).toEqual([]);
  arrival.arrive();
  expect(await held).toBe('held');
  expect(await served.run(() => call('later'))).toBe('later');
});

it('fails a call when startTimeout is over, and names the server', async () => {
  const { clock, served, calls, call } = away();
  const held = served.run(() => call('held'));
  const failed = expect(held).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    tenant: 'acme',
    waitedMs: 1_000,
    message: expect.stringContaining('of server "us"'),
  });
  await clock.advance(1_000);
  await failed;
  expect(calls).toEqual([]);
});

it('fails calls at once with a failure that waiting does not mend', async () => {
  const { arrival, served, calls, call } = away();
  const error = new MigrationError({ tenant: 'acme', schema: 'acme', migration: 'm' } as never);
  const held = served.run(() => call('held'));
  await Promise.resolve();
  expect(arrival).toMatchObject({ isAway: true, isRefused: false });
  arrival.failed(error);
  expect(arrival).toMatchObject({ isAway: true, isRefused: true });
  await expect(held).rejects.toBe(error);
  await expect(served.run(() => call('later'))).rejects.toBe(error);
  expect(calls).toEqual([]);
});

it('ends the wait of calls when the tenant is closed', async () => {
  const { served, call } = away();
  const held = served.run(() => call('held'));
  await Promise.resolve();
  served.close();
  await expect(held).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
});
