import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** The server that the run uses; `npm test` brings one up and says where. */
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
  await client.connect();
  return client;
}

/**
 * A schema name that no other test, file or run uses. The schema isn't created; it is dropped, if it exists by
 * then, after everything in the test file is over (by `environment.mjs`).
 */
export function freshSchema(label = 'tenant'): string {
  const name = `test_${label}_${randomBytes(5).toString('hex')}`;
  dropAfterwards(name);
  return name;
}

/** Has a schema that the code under test named itself dropped with the rest. */
export function dropAfterwards(schema: string): void {
  const key = Symbol.for('cloacina.test.schemas');
  const names = (globalThis as Record<symbol, unknown>)[key] as Set<string> | undefined;
  if (names === undefined) Object.assign(globalThis, { [key]: new Set([schema]) });
  else names.add(schema);
}
