import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { NotAllowedError, TenantIncompleteError } from '../../../lib/errors/index.js';
import type { TenantCredentials } from '../../../lib/tenants/admin/admin-options.js';
import { findTenants } from '../../../lib/tenants/hosting/tenant-marker.js';
import { type OpenTenant, openTenant, poolsOf } from '../../support/open-tenant.js';
import { type AdminDatabase, createAdminDatabase, failureOf } from '../admin/admin-database.js';
import { hostileObjects, lootOf, TRAPS } from './hostile-tenant.js';

const LOOT = 'loot.taken';

let database: AdminDatabase;
let neighbour: TenantCredentials;
/** A tenant on the admin's login, which is a shared one. */
let shared: OpenTenant;
beforeAll(async () => {
  database = await createAdminDatabase();
  await database.owner.query(
    `CREATE SCHEMA loot; CREATE TABLE ${LOOT} (how text, who text, found text);
     GRANT USAGE ON SCHEMA loot TO PUBLIC; GRANT INSERT ON ${LOOT} TO PUBLIC`,
  );
  neighbour = await database.admin.createTenant(database.names());
  const own = await database.connect(neighbour.connectionString);
  await own.query("CREATE TABLE secret (text text); INSERT INTO secret VALUES ('s3cret')");
  shared = await openTenant([], {
    schema: database.names().schema,
    databaseUrl: database.adminUrl,
  });
});
beforeEach(() => database.owner.query(`TRUNCATE ${LOOT}`));

async function hostile(trap: string): Promise<{ made: TenantCredentials; own: Client }> {
  const made = await database.admin.createTenant(database.names());
  const own = await database.connect(made.connectionString);
  await own.query(hostileObjects(made.schema, LOOT, `${neighbour.schema}.secret`));
  await own.query(trap);
  await database.owner.query(`TRUNCATE ${LOOT}`);
  return { made, own };
}

/** What a session with more rights must not do; the test notices it. */
async function careless({ schema, username }: TenantCredentials): Promise<unknown[]> {
  const admin = await database.connect(database.adminUrl);
  const { rows } = await admin.query<{ missing: boolean }>(
    "SELECT NOT pg_has_role(current_user, $1::name, 'USAGE') AS missing",
    [username],
  );
  if (rows[0]?.missing === true) await admin.query(`GRANT ${username} TO ${database.adminRole}`);
  for (const sql of [
    `SELECT name::text FROM ${schema}.cloacina_migrations`,
    `UPDATE ${schema}.cloacina_task_execution SET paused = true`,
  ]) {
    await admin.query(sql).catch(() => undefined);
  }
  const found = await lootOf(database.owner, LOOT, username);
  await database.owner.query(`TRUNCATE ${LOOT}`);
  return found;
}

describe('A tenant with credentials of its own and', () => {
  it.each(TRAPS)('%s gets nothing run with more rights than its own', async (_trap, sql) => {
    const { made, own } = await hostile(sql);
    const control = await careless(made);
    expect(control).toContainEqual(
      expect.objectContaining({ who: database.adminRole, found: 's3cret' }),
    );

    await own.query('UPDATE cloacina_task_execution SET paused = false');
    await database.owner.query(`TRUNCATE ${LOOT}`);

    const listed = await database.admin.listTenants();
    expect(listed.find(({ schema }) => schema === made.schema)?.version ?? '').toMatch(/^\w*$/);
    expect(listed.find(({ schema }) => schema === neighbour.schema)?.version).toMatch(/^\w+\d$/);
    const served = openTenant([], { schema: made.schema, databaseUrl: database.adminUrl });
    expect(await failureOf(served)).toBeInstanceOf(NotAllowedError);
    const { tenants } = await findTenants(poolsOf(shared).general);
    expect(tenants.map(({ schema }) => schema)).toEqual([shared.schema]);
    await database.admin.createTenant(made).catch(() => undefined);
    await database.admin.removeTenant({ schema: made.schema, drain: '1s' });

    expect(await lootOf(database.owner, LOOT, made.username)).toEqual([]);
    const { schema, username } = made;
    expect(await database.admin.removeTenant({ schema, username })).toEqual({ dropped: [] });
  });

  it('functions named like built-ins where others look them up', async () => {
    const { made, own } = await hostile('SELECT 1');
    await database.owner.query(`GRANT CREATE ON SCHEMA public TO ${made.username}`);
    await own.query(
      `CREATE FUNCTION public.lower(name) RETURNS text LANGUAGE plpgsql AS
         $f$ BEGIN PERFORM ${made.schema}.rob('lower'); RETURN pg_catalog.lower($1::text); END $f$;
       GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${made.schema} TO PUBLIC`,
    );
    const admin = await database.connect(database.adminUrl);
    await admin.query('SELECT lower(nspname) FROM pg_namespace');
    expect(await lootOf(database.owner, LOOT, made.username)).not.toEqual([]);
    await database.owner.query(`TRUNCATE ${LOOT}`);

    await database.admin.listTenants();
    await database.admin.createTenant(made);
    const owning = database.admin.removeTenant({ schema: made.schema });
    expect(await failureOf(owning)).toBeInstanceOf(NotAllowedError);

    expect(await lootOf(database.owner, LOOT, made.username)).toEqual([]);
    await own.query('DROP FUNCTION public.lower(name)');
    await database.owner.query(`REVOKE CREATE ON SCHEMA public FROM ${made.username}`);
    await database.admin.removeTenant({ schema: made.schema });
  });

  it('a history that it has dropped is told so, and not migrated by the admin', async () => {
    const { made, own } = await hostile('DROP TABLE cloacina_migrations CASCADE');
    const error = await failureOf(database.admin.createTenant(made));
    expect(error).toBeInstanceOf(TenantIncompleteError);
    expect(error.message).toContain('its own databaseUrl');

    await own.query(`DROP SCHEMA ${made.schema} CASCADE`);
    const again = await database.admin.createTenant(made);
    await expect(own.query('SELECT 1')).rejects.toThrow();
    await database.connect(again.connectionString);
    await database.admin.removeTenant({ schema: made.schema });
    expect(await lootOf(database.owner, LOOT, made.username)).toEqual([]);
  });

  it('locks on its tables does not keep the others from being listed', async () => {
    const { made, own } = await hostile('BEGIN; LOCK TABLE cloacina_migrations');
    const listed = await database.admin.listTenants();
    expect(listed).toContainEqual({
      schema: made.schema,
      tenant: made.schema,
      version: 'unknown',
    });
    expect(listed.find(({ schema }) => schema === neighbour.schema)?.version).toMatch(/^\w+\d$/);
    await own.query('ROLLBACK');
    await database.admin.removeTenant({ schema: made.schema });
  });

  describe('and nothing else', () => {
    let plain: { made: TenantCredentials; own: Client };
    beforeAll(async () => {
      plain = await hostile('SELECT 1');
    });
    afterAll(() => database.admin.removeTenant({ schema: plain.made.schema }));

    it.each([
      ['read a neighbour', () => `SELECT * FROM ${neighbour.schema}.secret`],
      ['see what is in its schema', () => `SET ROLE ${neighbour.username}`],
      ['make schemas', () => 'CREATE SCHEMA another'],
      ['make roles', () => 'CREATE ROLE another'],
      [
        'change the comment by which its role is known',
        (own: string) => `COMMENT ON ROLE ${own} IS ''`,
      ],
      [
        'give its schema to another role',
        (_own: string, schema: string) => `ALTER SCHEMA ${schema} OWNER TO ${database.adminRole}`,
      ],
      [
        'watch all events',
        () => 'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION rob_by_trigger()',
      ],
      [
        'end the connections of others',
        () =>
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user AND pid IS NOT NULL',
      ],
    ])('may not %s', async (_what, sql) => {
      const { made, own } = plain;
      await expect(own.query(sql(made.username, made.schema))).rejects.toThrow(
        /permission denied|must be|superuser|Must be/i,
      );
    });
  });
});

describe('A schema that another login owns and grants to all', () => {
  it('is not served by discovery', async () => {
    const { schema, username } = database.names();
    await database.owner.query(
      `CREATE ROLE ${username} LOGIN PASSWORD 'pw'; CREATE SCHEMA ${schema} AUTHORIZATION ${username};
       SET ROLE ${username};
       CREATE TABLE ${schema}.cloacina_migrations (id serial, timestamp bigint, name text);
       GRANT USAGE ON SCHEMA ${schema} TO PUBLIC; GRANT ALL ON ${schema}.cloacina_migrations TO PUBLIC;
       RESET ROLE`,
    );
    try {
      const found = await findTenants(poolsOf(shared).general);
      expect(found.tenants.map((tenant) => tenant.schema)).not.toContain(schema);
      expect(found.strange).toContainEqual({ schema, owner: username });
      await database.owner.query(`GRANT ${database.adminRole} TO ${username}`);
      const trusted = await findTenants(poolsOf(shared).general);
      expect(trusted.tenants.map((tenant) => tenant.schema)).toContain(schema);
    } finally {
      await database.owner.query(`DROP OWNED BY ${username} CASCADE; DROP ROLE ${username}`);
    }
  });
});
