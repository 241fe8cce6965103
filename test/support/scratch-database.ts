import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { afterFile } from './after-file.js';
import { endChildren } from './child-process.js';
import { connectAdmin, createDatabase, databaseUrl } from './postgres.js';

const created: string[] = [];
const sessions = new Map<string, Promise<Client>>();
afterFile(async () => {
  await endChildren();
  for (const session of sessions.values()) await (await session).end();
  sessions.clear();
  const admin = await connectAdmin();
  for (const name of created) {
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    // Roles outlive their database; the sample names them after it.
    const { rows } = await admin.query<{ drop: string }>(
      `SELECT format('DROP ROLE %I', rolname) AS drop FROM pg_roles WHERE right(rolname::text, length($1)) = $1`,
      [`_${name}`],
    );
    for (const { drop } of rows) await admin.query(drop);
  }
  await admin.end();
});

/** The URL of an empty database, since the sample's schemas have fixed names. Dropped after the test file. */
export async function scratchDatabase(): Promise<string> {
  const name = `sample_${randomBytes(5).toString('hex')}`;
  const admin = await connectAdmin();
  await createDatabase(admin, name);
  await admin.end();
  created.push(name);
  const url = new URL(databaseUrl());
  url.pathname = `/${name}`;
  return url.href;
}

let lastQuery: Promise<unknown> = Promise.resolve();

/**
 * One query on a session that stays open until the end of the test file, one after the other: a session for each would
 * cost the server far more than the query.
 */
export function rowsOf<R extends object>(url: string, sql: string): Promise<R[]> {
  const rows = lastQuery.then(async () => {
    let session = sessions.get(url);
    if (session === undefined) sessions.set(url, (session = connectAdmin(url)));
    return (await (await session).query<R>(sql)).rows;
  });
  lastQuery = rows.catch(() => undefined);
  return rows;
}
