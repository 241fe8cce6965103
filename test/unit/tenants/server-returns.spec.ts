import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ServerReturns } from '../../../lib/tenants/hosting/server-returns.js';
import type { TenantRuntime } from '../../../lib/tenants/hosting/tenant-runtime.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { gate } from '../../support/gate.js';

beforeEach(() => void jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined));
afterEach(() => void jest.restoreAllMocks());

/** A tenant whose server is back, and whose migration is under way. */
function returning() {
  const opener = { activate: async () => undefined, start: async () => undefined };
  const returns = new ServerReturns({ opener, stopping: new AbortController().signal });
  const migration = gate();
  const arrival = {
    isAway: true,
    reach: () => migration.passed,
    failed: () => undefined,
    arrive: () => undefined,
  };
  const leaving = new AbortController();
  const place = { host: 'us.internal', port: 5432, database: 'shop', server: 'us' };
  const group = { place, clocks: { process: new ManualClock() } };
  const runtime = { arrival, group, left: leaving.signal, tenant: { name: 'acme' } };
  return { returns, migration, leaving, runtime: runtime as unknown as TenantRuntime };
}

it('a tenant is left when its migration has ended, so that its schema can be dropped for good', async () => {
  const { returns, migration, leaving, runtime } = returning();
  const events: string[] = [];
  void returns.bringUp(runtime);
  leaving.abort();
  const left = returns.leave(runtime).then(() => events.push('left'));
  await new Promise((resolve) => setImmediate(resolve));
  events.push('migrated');
  migration.open();
  await left;
  expect(events).toEqual(['migrated', 'left']);
});

it('a tenant is left at once while the application boots, and so is one that was not away', async () => {
  const { returns, migration, leaving, runtime } = returning();
  await returns.leave(runtime);
  const brought = returns.bringUp(runtime);
  migration.open();
  await new Promise((resolve) => setImmediate(resolve));
  leaving.abort();
  await returns.leave(runtime);
  await brought;
});
