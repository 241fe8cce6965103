import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { startChild, type TestChild } from '../../support/child-process.js';
import { type OpenTenant, openTenants } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';

const isInstalled = spawnSync('pgbouncer', ['--version']).status === 0;

let work: (context: TaskContext) => Promise<object | void> = () => Promise.resolve();
const writing = defineWorkflow('writing')
  .task('only', { transactional: true, retry: { maxAttempts: 1 } }, (context) => work(context))
  .build();

(isInstalled ? describe : describe.skip)('Behind PgBouncer in transaction mode', () => {
  let pooler: TestChild;
  let acme: OpenTenant;
  let globex: OpenTenant;
  beforeAll(async () => {
    const url = new URL(databaseUrl());
    pooler = startChild(new URL('../../faults/server/runs-a-pooler.mjs', import.meta.url), {
      env: {
        POOLER: JSON.stringify({
          serverPort: Number(url.port),
          password: decodeURIComponent(url.password),
          mode: 'transaction',
        }),
      },
    });
    const { port } = await pooler.message<{ kind: string; port: number }>(
      ({ kind }) => kind === 'started',
    );
    url.hostname = '127.0.0.1';
    url.port = String(port);
    const open = await openTenants(
      [writing],
      [freshSchema('acme'), freshSchema('globex')].map((schema) => ({
        schema,
        databaseUrl: url.href,
        isolation: schema.includes('globex') ? ('role' as const) : ('schema' as const),
      })),
    );
    acme = open[0]!;
    globex = open[1]!;
    for (const tenant of open) {
      await tenant.query(
        `CREATE TABLE note (text text); INSERT INTO note VALUES ('${tenant.schema}');
         DO $$ BEGIN
           IF EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'cloacina_' || left('${tenant.schema}', 37) || '%') THEN
             EXECUTE (SELECT format('GRANT SELECT ON note TO %I', rolname) FROM pg_roles
                      WHERE rolname LIKE 'cloacina_' || left('${tenant.schema}', 37) || '%');
           END IF;
         END $$`,
      );
    }
  });
  afterAll(async () => {
    await acme.host.close();
    await pooler.kill('SIGTERM');
  });

  const sql = 'SELECT text FROM note';

  it("raw SQL finds its tenant's tables, whichever connection of the pooler it gets", async () => {
    for (const { dataSource, schema } of [acme, globex, acme]) {
      const rows = [{ text: schema }];
      expect(await dataSource.query(sql)).toEqual(rows);
      expect(await dataSource.query(`${sql} WHERE text = $1`, [schema])).toEqual(rows);
      expect(await dataSource.transaction((manager) => manager.query(sql))).toEqual(rows);
      expect(
        await dataSource.transaction('SERIALIZABLE', (manager) =>
          manager.query('SHOW transaction_isolation'),
        ),
      ).toEqual([{ transaction_isolation: 'serializable' }]);
      const runner = dataSource.createQueryRunner();
      expect(await runner.query(sql)).toEqual(rows);
      await runner.release();
    }
  });

  it('what must not be in a transaction is not put into one', async () => {
    const { dataSource, schema } = acme;
    await dataSource.query(`CREATE INDEX CONCURRENTLY note_text ON ${schema}.note (text)`);
    await dataSource.query(`VACUUM ${schema}.note`);
  });

  it('a transactional task does, and nothing of it is left on the pooler', async () => {
    work = async ({ manager }) => ({ rows: (await manager.query(sql)) as object[] });
    for (const tenant of [acme, globex]) {
      const { context } = (await tenant.runner.execute(writing)).orThrow();
      expect(context['rows']).toEqual([{ text: tenant.schema }]);
    }
    const paths = await acme.dataSource.query<{ source: string }[]>(
      `SELECT source FROM pg_settings WHERE name = 'search_path' AND source = 'session' AND setting LIKE '%test\\_%'
         AND setting NOT LIKE '${acme.schema}%'`,
    );
    expect(paths).toEqual([]);
  });

  it('what another tenant has set on a connection of the pooler changes no path and no role', async () => {
    await acme.dataSource.query(`CREATE TEMP TABLE note AS SELECT 'temporary'::text AS text`);
    await acme.dataSource.query('SET search_path TO pg_temp; SET ROLE pg_monitor');
    for (const { dataSource, schema } of [globex, acme]) {
      expect(await dataSource.query(sql)).toEqual([{ text: schema }]);
    }
  });
});
