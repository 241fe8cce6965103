import { randomBytes } from 'node:crypto';
import { afterAll } from '@jest/globals';
import { Client } from 'pg';

/** The server that the run uses; `npm test` brings one up and says where. */
export function databaseUrl(): string {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') {
    throw new Error('DATABASE_URL is not set: run the tests with `npm test`, which starts a server.');
  }
  return url;
}

/** A client of its own, as the server's owner; the caller ends it. */
export async function connectAdmin(url = databaseUrl()): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'cloacina-test-admin' });
  await client.connect();
  return client;
}

export interface FreshSchemas {
  /** A name that no other file and no other run uses. The schema itself isn't created. */
  name(label?: string): string;
  /** Drops every schema that was named so far. */
  drop(): Promise<void>;
}

/**
 * Schema names for one test file, dropped when its tests are over. Tests of several files, and several runs on one
 * server, never meet.
 */
export function freshSchemas(): FreshSchemas {
  const names = new Set<string>();
  const schemas: FreshSchemas = {
    name(label = 'tenant') {
      const name = `test_${label}_${randomBytes(5).toString('hex')}`;
      names.add(name);
      return name;
    },
    async drop() {
      const admin = await connectAdmin();
      try {
        for (const name of names) await dropSchema(admin, name);
        names.clear();
      } finally {
        await admin.end();
      }
    },
  };
  afterAll(() => schemas.drop());
  return schemas;
}

/** One schema, where a file needs no more than that. */
export function freshSchema(label?: string): string {
  return freshSchemas().name(label);
}

/**
 * Ends first whatever a failed test left open in the schema: a DROP that waits for it would hide the failure
 * behind a timeout.
 */
async function dropSchema(admin: Client, name: string): Promise<void> {
  await admin.query(
    `SELECT pg_terminate_backend(l.pid)
       FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.pid <> pg_backend_pid()`,
    [name],
  );
  await admin.query(`DROP SCHEMA IF EXISTS ${admin.escapeIdentifier(name)} CASCADE`);
}
