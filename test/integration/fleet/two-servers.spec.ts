import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { DatabaseUnavailableError } from '../../../lib/errors/index.js';
import { migrateFleet } from '../../../lib/tenants/migrations/migrate-fleet.js';
import { gate } from '../../support/gate.js';
import { openTenants, poolsOf, queryIn, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { SecondServer } from '../../support/second-server.js';
import { waitFor } from '../../support/wait-for.js';

/** Of a machine that has other things to do. */
const BUSY = { deadline: 60_000 };

let second: SecondServer;
beforeAll(async () => {
  second = await SecondServer.connect();
});
afterAll(() => second.close());

const ENTRIES = 'SELECT tenant FROM entry ORDER BY id';

test('tenants on two servers run in one process, and one server that goes away leaves the other tenant alone', async () => {
  const hold = gate();
  let held = 0;
  const workflows = [
    defineWorkflow('enter')
      .task('write', { transactional: true }, async ({ manager, tenant }) => {
        await manager.query(
          'CREATE TABLE IF NOT EXISTS entry (id serial PRIMARY KEY, tenant text NOT NULL)',
        );
        await manager.query('INSERT INTO entry (tenant) VALUES ($1)', [tenant]);
      })
      .task('read', { dependsOn: ['write'] }, async ({ manager }) => ({
        entries: await manager.query('SELECT count(*)::integer AS count FROM pg_database'),
      }))
      .build(),
    defineWorkflow('hold')
      .task('only', async () => {
        held++;
        await hold.passed;
        return { held: true };
      })
      .build(),
  ];
  // The same schema's name on either server: what tells them apart is the server.
  const schema = freshSchema('placed');
  const options = { schema, startTimeoutMs: 500 };
  const [here, there] = (await openTenants(workflows, [
    { ...options, tenant: 'here' },
    { ...options, tenant: 'there', databaseUrl: second.url },
  ])) as [OpenTenant, OpenTenant];
  const enter = async ({ runner }: OpenTenant): Promise<void> => {
    expect(await runner.execute('enter', {}, { timeout: '60s' })).toMatchObject({
      status: 'Completed',
    });
  };
  await enter(here);
  await enter(there);
  const running = await Promise.all([here, there].map(({ runner }) => runner.start('hold')));
  await waitFor(() => held === 2, BUSY);

  await second.refuse();
  // What was sent on a connection that breaks may be stored: such a start waits for the server, whatever its timeout.
  await waitFor(() => poolsOf(there).statements.every(({ totalCount }) => totalCount === 0), BUSY);
  await expect(there.runner.start('enter')).rejects.toBeInstanceOf(DatabaseUnavailableError);
  for (let n = 0; n < 20; n++) await enter(here);
  const report = await migrateFleet([here.migrator, there.migrator]);
  expect(report).toMatchObject([
    { tenant: 'here', applied: [] },
    { tenant: 'there', applied: [], error: { code: 'DATABASE_UNAVAILABLE' } },
  ]);
  expect(report[0]).not.toHaveProperty('error');
  // Both handlers end now. One outcome can be recorded, the other when its server is back.
  hold.open();
  await here.runner.handle(running[0]!.id).result({ timeout: '60s' });

  await second.listen();
  expect(await there.runner.handle(running[1]!.id).result({ timeout: '60s' })).toMatchObject({
    status: 'Completed',
    context: { held: true },
  });
  expect(held).toBe(2);
  await waitFor(() => enter(there).then(() => true));

  const entriesHere = await queryIn<{ tenant: string }>(schema, ENTRIES);
  expect(entriesHere).toEqual(Array.from({ length: 21 }, () => ({ tenant: 'here' })));
  const entriesThere = await second.query<{ tenant: string }>(
    ENTRIES.replace('entry', `${schema}.entry`),
  );
  expect(new Set(entriesThere.map(({ tenant }) => tenant))).toEqual(new Set(['there']));
  const recovered = 'SELECT FROM cloacina_recovery_event';
  expect(await queryIn(schema, recovered)).toEqual([]);
}, 300_000);
