import { expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant, poolsOf, processEngineOf } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl } from '../../support/postgres.js';

const SHOW = `SELECT current_setting('application_name') AS name, current_setting('enable_seqscan') AS seqscan,
    current_setting('lock_timeout') AS lock_timeout, current_setting('default_transaction_isolation') AS isolation,
    current_setting('work_mem') AS work_mem, current_setting('my.url', true) AS url, current_setting('my.extra', true) AS extra`;

/** A URL as platforms give it, with everything beside it that used to be overruled by it. */
test("what a URL says switches off none of the library's settings, and a password function is asked", async () => {
  const url = new URL(databaseUrl());
  const database = url.pathname.slice(1);
  // One whose password is asked for.
  const login = `asked_${database}`;
  const password = 'this-one';
  const admin = await connectAdmin();
  await admin.query(
    `CREATE ROLE ${login} LOGIN PASSWORD '${password}'; GRANT CREATE ON DATABASE ${database} TO ${login}`,
  );
  url.username = login;
  url.password = 'not-this-one';
  url.searchParams.set(
    'options',
    '-c my.url=1 -c enable_seqscan=on -c default_transaction_isolation=serializable',
  );
  url.searchParams.set('application_name', 'shop');
  url.searchParams.set('lock_timeout', '60000');
  let asked = 0;
  const work = defineWorkflow('work')
    .task('only', () => ({ done: true }))
    .build();
  const tenant = await openTenant([work], {
    databaseUrl: url.href,
    connection: {
      password: () => {
        asked++;
        return password;
      },
      extra: { options: '-c work_mem=5MB -c my.extra=1' },
    },
  });
  const ended = await tenant.runner.execute('work', {});
  expect(ended).toMatchObject({ status: 'Completed', context: { done: true } });

  const { statements, general } = poolsOf(tenant);
  const name = `cloacina:${processEngineOf(tenant).processId}`;
  const own = { name, work_mem: '5MB', url: '1', extra: '1', isolation: 'read committed' };
  const [statement] = statements;
  expect((await statement?.query(SHOW))?.rows).toEqual([
    { ...own, seqscan: 'off', lock_timeout: '2s' },
  ]);
  // Of the application: planner and locks are as its URL says.
  expect((await general.query(SHOW)).rows).toEqual([
    { ...own, seqscan: 'on', lock_timeout: '1min' },
  ]);
  expect(
    await tenant.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1`,
      [name],
    ),
  ).toEqual([{ n: expect.any(Number) }]);
  expect(asked).toBeGreaterThan(2);
  await tenant.close();
  await admin.query(`DROP OWNED BY ${login} CASCADE; DROP ROLE ${login}`);
  await admin.end();
});

test('a host beside the URL is the server that is used, an address of IPv6 and a socket too', async () => {
  const url = new URL(databaseUrl());
  const host = url.hostname;
  url.hostname = '192.0.2.1'; // no server's
  const tenant = await openTenant([], { databaseUrl: url.href, connection: { host } });
  expect((await poolsOf(tenant).general.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});
