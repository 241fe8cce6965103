import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** The test file's own database, which `environment.mjs` has made; `npm test` brings up a server for it. */
export function databaseUrl(): string {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') {
    throw new Error(
      'DATABASE_URL is not set: run the tests with `npm test`, which starts a server.',
    );
  }
  return url;
}

/** A client of its own, as the server's owner; the caller ends it. */
export async function connectAdmin(url = databaseUrl()): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'cloacina-test-admin' });
  // One that a failed test left open ends with the database: that is no failure of its own.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** A schema name that nothing else uses. The schema isn't created. It goes with the test file's database. */
export function freshSchema(label = 'tenant'): string {
  return `test_${label}_${randomBytes(5).toString('hex')}`;
}

/** Copied as files: by way of the log, which is the default, it costs the server several times as much. */
export async function createDatabase(client: Client, name: string): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::integer AS version`,
  );
  const strategy = (rows[0]?.version ?? 0) >= 150_000 ? ' STRATEGY file_copy' : '';
  await client.query(`CREATE DATABASE ${name}${strategy}`);
}
