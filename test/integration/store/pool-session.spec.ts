import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { newClaimant, parallel, startOf } from '../../conformance/workflows.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { PoolSession } from '../../../lib/store/postgres/session/pool-session.js';
import { applicationName, openStore, type OpenStore } from './open-store.js';

/** A process without a control connection, with two tenants. */
let session: PoolSession;
let locked: OpenStore;
let other: OpenStore;

beforeAll(async () => {
  [locked, other] = await Promise.all([openStore(), openStore()]);
  session = new PoolSession(other.pools, systemClock);
  await locked.admin.query('BEGIN');
  await locked.admin.query(`LOCK TABLE ${locked.tables.lease} IN ACCESS EXCLUSIVE MODE`);
});
afterEach(async () => {
  const { rows } = await other.admin.query(
    `SELECT query FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
    [applicationName(other.schema)],
  );
  expect(rows).toEqual([]);
  expect(session.interrupted).toBe(false);
});
afterAll(async () => {
  await locked.admin.query('ROLLBACK');
  await Promise.all([locked.close(), other.close()]);
});

it('Without a control connection, a sweep leaves out a tenant whose tables are locked, and waits for no lock', async () => {
  const { tenants } = await session.sweep([locked.store.handle, other.store.handle]);
  expect(tenants).toMatchObject([undefined, { leases: [] }]);
});

it('Without a control connection, the leases of the other tenants are renewed', async () => {
  const { instanceId, ...claimant } = newClaimant();
  const lease = { claimant: { ...claimant, instanceId }, write: true };
  await other.store.start([startOf(parallel(1))], lease, false);
  const leases = [locked, other].map(({ store }) => ({ tenant: store.handle, instanceId }));
  expect(await session.renew(leases, 60_000)).toEqual([undefined, true]);
});
