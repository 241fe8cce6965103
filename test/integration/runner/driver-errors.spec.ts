import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { CloacinaError } from '../../../lib/errors/index.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';

const SECRET = 'r0w-c0ntent';
const TABLES = [
  'workflow_definition',
  'workflow_execution',
  'task_execution',
  'execution_event',
  'recovery_event',
  'runner_lease',
];

const logged: string[] = [];
const note = (...parts: unknown[]): void =>
  void logged.push(parts.map((part) => inspect(part, { depth: 10 })).join(' '));

beforeEach(() => {
  logged.length = 0;
  Logger.overrideLogger({
    log: note,
    warn: note,
    error: note,
    debug: note,
    verbose: note,
    fatal: note,
  });
});
afterEach(() => Logger.overrideLogger(false));

const workflow = (name: string) =>
  defineWorkflow(name)
    .task('only', () => undefined)
    .build();

const RAISE = `RAISE EXCEPTION 'refused by a rule'
  USING ERRCODE = '23514', DETAIL = 'Failing row contains (${SECRET}).'`;

/**
 * From now on all that reads or writes the library's tables fails as a constraint does, whose error shows the row: the
 * tables become views that can't be read, on tables that can't be written; of the history, the names can't be read.
 */
async function refuseAll(url: string, schema: string): Promise<void> {
  const views = TABLES.map(
    (table) => `ALTER TABLE cloacina_${table} RENAME TO ${table};
      CREATE VIEW cloacina_${table} AS SELECT * FROM ${table} WHERE refuse();
      CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_row();`,
  );
  await rowsOf(
    url,
    `SET search_path TO "${schema}";
     CREATE FUNCTION refuse() RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN ${RAISE}; END $$;
     CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${RAISE}; END $$;
     ${views.join('\n')}
     CREATE TYPE unreadable AS (name text);
     CREATE FUNCTION refuse_name(unreadable) RETURNS text LANGUAGE plpgsql AS $$ BEGIN ${RAISE}; END $$;
     CREATE CAST (unreadable AS text) WITH FUNCTION refuse_name(unreadable);
     ALTER TABLE cloacina_migrations ALTER name TYPE unreadable USING ROW(name)::unreadable;`,
  );
}

async function expectClean(call: () => Promise<unknown>, code?: string): Promise<void> {
  const error: unknown = await call().then(
    (value) => ({ value }),
    (reason: unknown) => reason,
  );
  const shown = inspect(error, { depth: 10, showHidden: true });
  expect(shown).not.toContain(SECRET);
  expect(JSON.stringify(error)).not.toContain(SECRET);
  expect(error).toBeInstanceOf(CloacinaError);
  if (code !== undefined) expect(error).toMatchObject({ code });
  // What it says of the failure is the server's message.
  expect(shown).toContain('refused by a rule');
}

it('No error of the API and no log shows what a driver tells of the rows', async () => {
  const url = await scratchDatabase();
  const schema = freshSchema();
  const options = { databaseUrl: url, schema, startTimeoutMs: 500 };
  const one = workflow('one');
  const { runner, recovery, migrator, ...tenant }: OpenTenant = await openTenant([one], options);
  const { id } = await runner.execute(one);
  const waiting = await runner.start(one, {}, { delay: '1h' });
  await refuseAll(url, schema);

  const refused = 'DATABASE_REFUSED';
  await expectClean(() => runner.start(one), refused);
  await expectClean(() => runner.start(one, {}, { idempotencyKey: 'k' }), refused);
  await expectClean(() => runner.execute(one), refused);
  await expectClean(
    () => tenant.dataSource.transaction((manager) => runner.start(one, {}, { manager })),
    refused,
  );
  await expectClean(() => runner.get(id), refused);
  await expectClean(() => runner.list(), refused);
  await expectClean(() => runner.cancel(waiting.id), refused);
  await expectClean(() => runner.pause(waiting.id), refused);
  await expectClean(() => runner.resume(waiting.id), refused);
  await expectClean(() => runner.retry(id), refused);
  await expectClean(() => waiting.status(), refused);
  await expectClean(() => waiting.result({ timeout: '60s' }), refused);
  await expectClean(() => waiting.cancel(), refused);
  await expectClean(() => recovery.stats(), refused);
  await expectClean(() => recovery.events(), refused);
  await expectClean(() => recovery.blocked(), refused);
  await expectClean(() => recovery.run(), refused);
  await expectClean(() => migrator.status(), 'MIGRATION');
  await expectClean(() => migrator.pending(), 'MIGRATION');
  await expectClean(() => migrator.ensure(), 'MIGRATION');
  await expectClean(() => migrator.run(), 'MIGRATION');
  await expectClean(() => migrator.revert(), 'MIGRATION');
  await tenant.close();
  await expectClean(() => openTenant([one], options));
  expect(logged.join('\n')).not.toContain(SECRET);
});

it('Nor do those of a boot that can not register its workflows', async () => {
  const url = await scratchDatabase();
  const schema = freshSchema();
  const options = { databaseUrl: url, schema, startTimeoutMs: 500 };
  await (await openTenant([workflow('one')], options)).close();
  await rowsOf(
    url,
    `ALTER TABLE "${schema}".cloacina_workflow_definition
     ADD CONSTRAINT "refused by a rule" CHECK (name <> '${SECRET}') NOT VALID`,
  );
  const error: unknown = await openTenant([workflow(SECRET)], options).catch(
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'DATABASE_REFUSED', sqlState: '23514', tenant: schema });
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
  expect(logged.join('\n')).not.toContain('Failing row');
});

it('Nor do those of the admin', async () => {
  const url = await scratchDatabase();
  const admin = new CloacinaAdmin({ databaseUrl: url });
  const names = { schema: freshSchema(), username: `refused_${Date.now()}` };
  await rowsOf(
    url,
    `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN ${RAISE}; END $$;
     CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA', 'CREATE TABLE') EXECUTE FUNCTION refuse()`,
  );
  await expectClean(() => admin.createTenant(names));
  await expectClean(
    () => openTenant([workflow('one')], { databaseUrl: url, schema: freshSchema() }),
    'MIGRATION',
  );
  expect(logged.join('\n')).not.toContain(SECRET);
});
