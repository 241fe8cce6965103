import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { TenantLease } from '../../../lib/engine/lease/tenant-lease.js';
import { gate } from '../../support/gate.js';
import {
  type OpenTenant,
  openTenant,
  processEngineOf,
  queryIn,
} from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const free = gate();
const holding = defineWorkflow('holding')
  .task('only', () => free.passed)
  .build();

/** Long enough for no renewal to come by itself. */
const LEASE_MS = 3_600_000;

let planted: string;
let tenant: OpenTenant;
beforeAll(async () => {
  planted = freshSchema('planted');
  // A better match than any operator of PostgreSQL's for what a renewal multiplies: it would be called, were it found.
  await queryIn(
    'public',
    `CREATE SCHEMA ${planted}; CREATE TABLE ${planted}.call (pid integer);
     CREATE FUNCTION ${planted}.times(bigint, interval) RETURNS interval LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO ${planted}.call VALUES (pg_backend_pid());
       RETURN $1::double precision OPERATOR(pg_catalog.*) $2;
     END $$;
     CREATE OPERATOR ${planted}.* (LEFTARG = bigint, RIGHTARG = interval, FUNCTION = ${planted}.times)`,
  );
  const url = new URL(databaseUrl());
  url.searchParams.set('options', `-c search_path=${planted}`);
  tenant = await openTenant([holding], { databaseUrl: url.href, leaseDurationMs: LEASE_MS });
  await tenant.runner.start(holding);
  await waitFor(async () => (await lockedBy()) !== undefined);
});

/** The backend that holds the lock of which the lease tells. */
async function lockedBy(): Promise<string | undefined> {
  const [lease] = await tenant.query<{ lock_session: string }>(
    'SELECT lock_session FROM cloacina_runner_lease',
  );
  return lease?.lock_session.split(':')[1];
}

describe('The control connection', () => {
  it("calls nothing of what a tenant has named like PostgreSQL's own", async () => {
    const calls = (): Promise<object[]> => queryIn(planted, 'SELECT FROM call');
    await processEngineOf(tenant).renewOnce();
    await processEngineOf(tenant).sweepOnce();
    expect(await calls()).toEqual([]);
    // The control: with the path of the login it is called.
    const client = await connectAdmin();
    await client.query(`SET search_path TO ${planted}`);
    await client.query(`SELECT $1::bigint * interval '1 millisecond'`, [1]);
    await client.end();
    expect(await calls()).toHaveLength(1);
  });

  it('has the leases renewed as soon as it is back, so that they tell its new lock', async () => {
    const before = await lockedBy();
    await tenant.query('SELECT pg_terminate_backend($1::integer)', [before]);
    await waitFor(async () => {
      const now = await lockedBy();
      return now !== undefined && now !== before;
    });
    expect(processEngineOf(tenant).session?.lockSession).toContain(`:${await lockedBy()}`);
    free.open();
  });
});

describe('A lease', () => {
  it('that was written under a lock which is gone by now is renewed at once, and otherwise not', () => {
    let lockSession = '1:100';
    let renewals = 0;
    const identity = (): ReturnType<ConstructorParameters<typeof TenantLease>[0]> => ({
      processId: 'process',
      name: 'name',
      lockEpoch: 'epoch',
      lockSession,
    });
    const lease = new TenantLease(identity, LEASE_MS, () => renewals++);
    const first = lease.forClaim();
    lease.written(first);
    expect([first.write, renewals, lease.isHeld]).toEqual([true, 0, true]);

    lease.doubt();
    const underWay = lease.forClaim();
    lockSession = '2:200';
    lease.written(underWay);
    expect([underWay.write, renewals, lease.isHeld]).toEqual([true, 1, true]);
  });
});
