import { randomBytes } from 'node:crypto';
import { afterAll } from '@jest/globals';
import { Client } from 'pg';
import { connectAdmin, databaseUrl } from './postgres.js';

const created: string[] = [];
afterAll(async () => {
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
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  created.push(name);
  const url = new URL(databaseUrl());
  url.pathname = `/${name}`;
  return url.href;
}

export async function rowsOf<R extends object>(url: string, sql: string): Promise<R[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<R>(sql)).rows;
  } finally {
    await client.end();
  }
}
