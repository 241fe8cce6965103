import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import type { TenantCredentials } from '../../../lib/tenants/admin/admin-options.js';
import { isolationRoleName } from '../../../lib/tenants/admin/role-name.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { type AdminDatabase, createAdminDatabase, failureOf, rowsOf } from './admin-database.js';
import { attemptsOn, notDenied, rightsIn, type Try } from './attempts.js';

/** What an application has in a schema. */
const OBJECTS = `CREATE TABLE note (id serial PRIMARY KEY, text text);
  CREATE VIEW notes AS SELECT * FROM note;
  CREATE MATERIALIZED VIEW stored_notes AS SELECT * FROM note;
  CREATE SEQUENCE counter;
  CREATE FUNCTION answer() RETURNS integer LANGUAGE sql AS 'SELECT 42';
  CREATE TYPE mood AS ENUM ('good', 'bad');`;
/** PostgreSQL lets everybody use functions and types, where they may use the schema; and that of \`public\` they may. */
const OPEN_TO_ALL = ['EXECUTE on function answer()', 'USAGE on type mood'];

let database: AdminDatabase;
const schemas: Record<'a' | 'b' | 'sharedA' | 'sharedB', string> = {
  a: '',
  b: '',
  sharedA: '',
  sharedB: '',
};
let own: TenantCredentials;
let client: Client;
let isolated: OpenTenant;

beforeAll(async () => {
  database = await createAdminDatabase();
  const { admin, owner } = database;
  own = await admin.createTenant(database.names());
  const b = await admin.createTenant(database.names());
  client = await database.connect(own.connectionString);
  const options = { databaseUrl: database.adminUrl, isolation: 'role' as const };
  isolated = await openTenant([], { ...options, schema: database.names().schema });
  const other = await openTenant([], { ...options, schema: database.names().schema });
  Object.assign(schemas, {
    a: own.schema,
    b: b.schema,
    sharedA: isolated.schema,
    sharedB: other.schema,
  });
  await (await database.connect(b.connectionString)).query(OBJECTS);
  const shared = await database.connect(database.adminUrl);
  await shared.query(`SET search_path TO ${other.schema}; ${OBJECTS}`);
  // A single-tenant application, beside its own tables.
  await owner.query(`GRANT CREATE ON SCHEMA public TO ${database.adminRole}`);
  await openTenant([], { schema: 'public', databaseUrl: database.adminUrl });
  await shared.query(`SET search_path TO public; ${OBJECTS}`);
});

const asOwn: Try = async (sql) => {
  try {
    await client.query(`BEGIN; ${sql}`);
  } finally {
    await client.query('ROLLBACK');
  }
};
const asIsolated: Try = async (sql) => {
  const runner = isolated.dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query(sql);
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
  }
};
const levels: [string, Try, () => string][] = [
  ['with credentials of its own', asOwn, () => own.username],
  ['by a role of its own', asIsolated, () => isolationRoleName(database.name, schemas.sharedA)],
];

describe.each(levels)('a tenant that is apart %s', (_level, tryIt, role) => {
  it.each([['b'], ['sharedB']] as const)(
    'can do nothing with anything of another tenant (%s)',
    async (other) => {
      const attempts = await attemptsOn(database.owner, schemas[other]);
      expect(attempts.length).toBeGreaterThan(150);
      expect(await notDenied(attempts, tryIt)).toEqual([]);
      expect(await rightsIn(database.owner, role(), schemas[other])).toEqual([]);
    },
    60_000,
  );

  it('can do nothing with anything in public, but what PostgreSQL opens to all', async () => {
    const attempts = await attemptsOn(database.owner, 'public');
    expect(attempts.length).toBeGreaterThan(150);
    expect(await notDenied(attempts, tryIt)).toEqual(OPEN_TO_ALL);
    expect(await rightsIn(database.owner, role(), 'public')).toEqual(['USAGE on schema']);

    await database.owner.query('REVOKE USAGE ON SCHEMA public FROM PUBLIC');
    expect(await notDenied(attempts, tryIt)).toEqual([]);
    await database.owner.query('GRANT USAGE ON SCHEMA public TO PUBLIC');
  });

  it('is nobody else, and makes nobody', async () => {
    const attempts = [
      'CREATE SCHEMA mine',
      'CREATE ROLE mine',
      `ALTER ROLE ${database.adminRole} PASSWORD 'mine'`,
      'CREATE DATABASE mine',
      'CREATE EXTENSION pg_trgm',
      'SELECT * FROM pg_authid',
      `SELECT pg_read_file('PG_VERSION')`,
      `COPY (SELECT 1) TO PROGRAM 'true'`,
      'ALTER SYSTEM SET work_mem TO 1',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${process.env['PGUSER'] ?? 'postgres'}'`,
    ].map((sql) => ({ what: sql, sql }));
    // What can't run in a transaction says so first.
    const found = (await notDenied(attempts, tryIt)).filter((what) => !what.includes('25001'));
    expect(found).toEqual([]);
  });

  it('would be seen by this test if it had one right too many', async () => {
    const { owner } = database;
    const attempts = await attemptsOn(owner, schemas.b);
    const rights: [string, string[]][] = [
      [`GRANT USAGE ON SCHEMA ${schemas.b} TO ${role()}`, [...OPEN_TO_ALL]],
      [`GRANT SELECT ON ${schemas.b}.note TO ${role()}`, ['SELECT on table note']],
      [
        `GRANT DELETE ON ${schemas.b}.cloacina_task_execution TO ${role()}`,
        ['DELETE on table cloacina_task_execution'],
      ],
      [`GRANT USAGE ON SEQUENCE ${schemas.b}.counter TO ${role()}`, ['USAGE on sequence counter']],
      [`GRANT CREATE ON SCHEMA ${schemas.b} TO ${role()}`, ['CREATE sequence in schema']],
    ];
    for (const [grant, seen] of rights) {
      await owner.query(grant);
      const allowed = attempts.filter(({ what }) => seen.includes(what));
      expect(await notDenied(allowed, tryIt)).toEqual(seen);
    }
    expect(await rightsIn(owner, role(), schemas.b)).toEqual(
      expect.arrayContaining(['SELECT on note', 'USAGE on counter', 'CREATE on schema']),
    );
    await owner.query(
      `REVOKE ALL ON SCHEMA ${schemas.b} FROM ${role()}; REVOKE ALL ON ALL TABLES IN SCHEMA ${schemas.b} FROM ${role()};
       REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${schemas.b} FROM ${role()}`,
    );
    expect(await notDenied(attempts, tryIt)).toEqual([]);
  });
});

describe('what is open to every role of a database', () => {
  it('is told in docs/isolation.md: temporary tables, notifications, locks', async () => {
    await asOwn('CREATE TEMPORARY TABLE mine (id integer)');
    await asOwn('NOTIFY anything');
    await asOwn('SELECT pg_try_advisory_xact_lock(1)');
  });

  it('is not what others do: the texts of their statements are hidden', async () => {
    const rows = await rowsOf<{ query: string }>(
      client,
      `SELECT query FROM pg_stat_activity WHERE usename = 'postgres' AND datname = current_database()`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map(({ query }) => query))).toEqual(new Set(['<insufficient privilege>']));
  });

  it('is not the way back, for a tenant with credentials of its own; for an isolated one it is', async () => {
    expect(await failureOf(asOwn(`SET ROLE ${database.adminRole}`))).toMatchObject({
      code: '42501',
    });
    await asIsolated('RESET ROLE');
  });
});
