import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PermissionError } from '../../../lib/errors/index.js';
import { freshSchema } from '../../support/postgres.js';
import { withTenant } from './open-tenant.js';
import { createScratchDatabase, type ScratchDatabase } from './scratch-database.js';

const FIRST = 'CreateCloacinaTables1735689600000';

/** A login that may connect, and nothing else. */
let role: string;
let url: string;
let database: ScratchDatabase;

beforeEach(async () => {
  database = await createScratchDatabase();
  role = `test_role_${randomBytes(5).toString('hex')}`;
  await database.admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
  url = database.urlOf(role, 'pw');
});
afterEach(async () => {
  await database.admin.query(`DROP OWNED BY ${role} CASCADE`);
  await database.admin.query(`DROP ROLE ${role}`);
  await database.drop();
});

/** The error of a boot with that login, and the statement in it that would put it right. */
async function refusedBoot(schema: string): Promise<{ error: PermissionError; grant: string }> {
  const error: unknown = await withTenant(schema, { url }, ({ migrator }) =>
    migrator.ensure().catch((reason: unknown) => reason),
  );
  if (!(error instanceof PermissionError)) throw error;
  const grant = /GRANT [^;]+/.exec(error.message)?.[0];
  if (grant === undefined) throw error;
  return { error, grant };
}

function boot(schema: string): Promise<{ schemaCreated: boolean; applied: string[] }> {
  return withTenant(schema, { url }, ({ migrator }) => migrator.ensure());
}

test('a login that may not create schemas is told the grant, which helps', async () => {
  const schema = freshSchema();

  const { error, grant } = await refusedBoot(schema);

  expect(error.code).toBe('PERMISSION');
  expect(error.message).toContain(`create the schema "${schema}"`);
  expect(grant).toBe(`GRANT CREATE ON DATABASE "${database.name}" TO "${role}"`);
  await database.admin.query(grant);
  expect(await boot(schema)).toEqual({ schemaCreated: true, applied: [FIRST] });
});

test('a schema that is there needs no right to create schemas', async () => {
  const schema = freshSchema();
  await database.admin.query(
    `CREATE SCHEMA ${schema}; GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${role}`,
  );

  expect(await boot(schema)).toEqual({ schemaCreated: false, applied: [FIRST] });
  expect(await boot(schema)).toEqual({ schemaCreated: false, applied: [] });
});

test.each([['public'], [freshSchema()]])(
  'a schema (%s) in which the login may do nothing: it is told the grant, which helps',
  async (schema) => {
    if (schema !== 'public') await database.admin.query(`CREATE SCHEMA ${schema}`);
    // As it is since PostgreSQL 15.
    else await database.admin.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');

    const { grant } = await refusedBoot(schema);

    const rights = schema === 'public' ? 'CREATE' : 'USAGE, CREATE';
    expect(grant).toBe(`GRANT ${rights} ON SCHEMA "${schema}" TO "${role}"`);
    await database.admin.query(grant);
    expect((await boot(schema)).applied).toEqual([FIRST]);
  },
);

test('a schema that another login has migrated', async () => {
  const schema = freshSchema();
  await withTenant(schema, { url: database.url }, ({ migrator }) => migrator.ensure());
  await database.admin.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);

  const { grant } = await refusedBoot(schema);

  expect(grant).toBe(`GRANT SELECT ON "${schema}".cloacina_migrations TO "${role}"`);
  await database.admin.query(grant);
  expect(await boot(schema)).toEqual({ schemaCreated: false, applied: [] });

  // A version of the library with more migrations than have been applied: only the owner may apply them.
  await database.admin.query(`DELETE FROM ${schema}.cloacina_migrations`);
  const { rows } = await database.admin.query<{ owner: string }>('SELECT current_user AS owner');
  const later = await refusedBoot(schema);
  expect(later.grant).toBe(`GRANT "${rows[0]?.owner}" TO "${role}"`);
});
