import { beforeAll, describe, expect, it } from '@jest/globals';
import { isolationRoleName } from '../../../lib/tenants/admin/role-name.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { type AdminDatabase, createAdminDatabase } from '../admin/admin-database.js';

let database: AdminDatabase;
let neighbour: OpenTenant;
let bySchema: OpenTenant;
let byRole: OpenTenant;
beforeAll(async () => {
  database = await createAdminDatabase();
  const open = (isolation: 'schema' | 'role'): Promise<OpenTenant> =>
    openTenant([], { schema: database.names().schema, databaseUrl: database.adminUrl, isolation });
  neighbour = await open('schema');
  bySchema = await open('schema');
  byRole = await open('role');
  await neighbour.dataSource.query(
    `CREATE TABLE ${neighbour.schema}.secret (text text); INSERT INTO ${neighbour.schema}.secret VALUES ('s3cret')`,
  );
  for (const { schema } of [bySchema, byRole]) {
    // As migrations do: with the login's rights, also where user code has fewer.
    await database.owner.query(
      `SET ROLE ${database.adminRole}; CREATE TABLE ${schema}.note (text text); RESET ROLE`,
    );
  }
});

/** What code in a handler may try, in its own schema and beyond. */
const ATTEMPTS: readonly (readonly [string, (of: OpenTenant) => string])[] = [
  ['read a neighbour', () => `SELECT * FROM ${neighbour.schema}.secret`],
  ['write to a neighbour', () => `DELETE FROM ${neighbour.schema}.cloacina_task_execution`],
  [
    'make a function',
    ({ schema }) => `CREATE FUNCTION ${schema}.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
  ],
  ['make a type', ({ schema }) => `CREATE TYPE ${schema}.sly AS (value text)`],
  ['make a view', ({ schema }) => `CREATE VIEW ${schema}.v AS SELECT 1`],
  [
    'put a trigger on its table',
    ({ schema }) =>
      `CREATE TRIGGER t BEFORE UPDATE ON ${schema}.note FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
  ],
  [
    'put a rule on its table',
    ({ schema }) => `CREATE RULE r AS ON DELETE TO ${schema}.note DO INSTEAD NOTHING`,
  ],
  ['put a policy on its table', ({ schema }) => `CREATE POLICY p ON ${schema}.note`],
  ['change its table', ({ schema }) => `ALTER TABLE ${schema}.note ADD more text`],
  [
    'have what others make granted to it',
    () => `ALTER DEFAULT PRIVILEGES FOR ROLE ${database.adminRole} GRANT ALL ON TABLES TO PUBLIC`,
  ],
  ['change the library', ({ schema }) => `UPDATE ${schema}.cloacina_runner_lease SET login = 'x'`],
  ['become its neighbour', () => `SET ROLE pg_read_all_data`],
];

async function tried(of: OpenTenant, sql: string): Promise<string> {
  const runner = of.dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query(sql);
    return 'done';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await runner.rollbackTransaction().catch(() => undefined);
    await runner.release();
  }
}

const DENIED = /permission denied|must be owner/;

describe('A handler that is under a role', () => {
  it.each(ATTEMPTS)('may not %s', async (_what, sql) => {
    expect(await tried(byRole, sql(byRole))).toMatch(DENIED);
  });

  it('is no longer when it says so: this level is against mistakes', async () => {
    const runner = byRole.dataSource.createQueryRunner();
    await runner.startTransaction();
    const role = isolationRoleName(database.name, byRole.schema);
    expect(await runner.query('SELECT current_user AS me')).toEqual([{ me: role }]);
    await runner.query('RESET ROLE');
    expect(await runner.query(`SELECT text FROM ${neighbour.schema}.secret`)).toEqual([
      { text: 's3cret' },
    ]);
    await runner.rollbackTransaction();
    await runner.release();
  });
});

describe('A handler that is apart by its schema alone', () => {
  it.each(ATTEMPTS.filter(([what]) => what !== 'become its neighbour'))(
    'may %s: the same attempts succeed, so the test above would notice',
    async (_what, sql) => {
      expect(await tried(bySchema, sql(bySchema))).toBe('done');
    },
  );
});
