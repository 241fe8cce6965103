import { randomBytes } from 'node:crypto';
import { afterAll } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Client } from 'pg';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { connectAdmin } from '../../support/postgres.js';
import { createScratchDatabase } from '../migrations/scratch-database.js';

// Every tenant that is made is logged.
Logger.overrideLogger(false);

export interface AdminDatabase {
  readonly name: string;
  /** The server's owner, connected to the database: for looking, and for what the admin's login may not. */
  readonly owner: Client;
  /** Of a login with CREATEROLE and with CREATE on the database, and nothing else. */
  readonly adminUrl: string;
  readonly adminRole: string;
  readonly admin: CloacinaAdmin;
  urlOf(role: string, password: string): string;
  /** Names that nobody on the server has. */
  names(): { schema: string; username: string };
  /** A client with the URL, closed with the database. */
  connect(url: string): Promise<Client>;
}

const cleanups: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const cleanUp of cleanups) await cleanUp();
});

/**
 * A database with a login that may make tenants and is no superuser. Dropped after the test file, with every role of
 * its tenants.
 */
export async function createAdminDatabase(): Promise<AdminDatabase> {
  const database = await createScratchDatabase();
  const adminRole = `test_admin_${randomBytes(5).toString('hex')}`;
  await database.admin.query(`CREATE ROLE ${adminRole} LOGIN CREATEROLE PASSWORD 'pw'`);
  await database.admin.query(`GRANT CREATE ON DATABASE ${database.name} TO ${adminRole}`);
  const adminUrl = database.urlOf(adminRole, 'pw');
  const clients: Client[] = [];
  cleanups.push(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await database.drop();
    await dropRolesOf(database.name, adminRole);
  });
  return {
    name: database.name,
    owner: database.admin,
    adminUrl,
    adminRole,
    admin: new CloacinaAdmin({ databaseUrl: adminUrl }),
    urlOf: (role, password) => database.urlOf(role, password),
    names: () => {
      const suffix = randomBytes(5).toString('hex');
      return { schema: `tenant_${suffix}`, username: `login_${suffix}` };
    },
    connect: async (url) => {
      const client = new Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
  };
}

async function dropRolesOf(database: string, adminRole: string): Promise<void> {
  const server = await connectAdmin();
  const { rows } = await server.query<{ name: string }>(
    `SELECT quote_ident(r.rolname) AS name FROM pg_roles r
      WHERE shobj_description(r.oid, 'pg_authid') LIKE '%in database "' || $1 || '"%' OR r.rolname = $2`,
    [database, adminRole],
  );
  for (const { name } of rows) await server.query(`DROP ROLE ${name}`);
  await server.end();
}

/** Rows of the catalogs. */
export async function rowsOf<R extends object>(
  client: Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  return (await client.query<R>(sql, [...values])).rows;
}

/** The error of a call that has to fail. */
export async function failureOf(work: Promise<unknown>): Promise<Error> {
  const failed = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failed === undefined) throw new Error('It did not fail.');
  return failed as Error;
}
