import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { connectAdmin, createDatabase, databaseUrl } from '../../support/postgres.js';

export interface ScratchDatabase {
  readonly name: string;
  readonly url: string;
  /** The database's owner, connected to it. */
  readonly admin: Client;
  /** The URL of another login of the database. */
  urlOf(role: string, password: string): string;
  drop(): Promise<void>;
}

/** A database of its own, for tests that change what is outside of schemas: rights, event triggers, `public`. */
export async function createScratchDatabase(): Promise<ScratchDatabase> {
  const name = `test_${randomBytes(5).toString('hex')}`;
  const server = await connectAdmin();
  await createDatabase(server, name);
  const urlOf = (role?: string, password?: string): string => {
    const url = new URL(databaseUrl());
    url.pathname = `/${name}`;
    if (role !== undefined) url.username = role;
    if (password !== undefined) url.password = password;
    return url.href;
  };
  const admin = await connectAdmin(urlOf());
  return {
    name,
    url: urlOf(),
    admin,
    urlOf,
    drop: async () => {
      await admin.end();
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.end();
    },
  };
}
