import { createHash } from 'node:crypto';
import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';

/**
 * The 64-bit key of a schema's advisory lock. Advisory locks apply to one database. The prefix prevents collisions with
 * locks that the application takes on hashes of its own.
 */
function schemaLockKey(schema: string): string {
  const hash = createHash('sha256').update(`nestjs-cloacina/schema/${schema}`).digest();
  return hash.readBigInt64BE().toString();
}

/**
 * Takes the schema's lock until the transaction ends, even if the process dies. Fails with SQLSTATE 55P03 if the lock is
 * not free within the transaction's `lock_timeout`.
 */
export async function lockSchema(client: pg.ClientBase, schema: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1::bigint)', [schemaLockKey(schema)]);
}

/** The holder of the schema's lock, for messages; undefined if it is free. */
export async function describeLockHolder(
  pool: pg.Pool,
  schema: string,
): Promise<string | undefined> {
  // pg_locks shows a 64-bit key as two halves, with objsubid 1.
  const rows = await readRows<{ holder: string }>(
    pool,
    `SELECT format('backend %s (%s, %s)', l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'),
                   coalesce(a.client_addr::text, 'local')) AS holder
       FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32) | l.objid::bigint = $1::bigint`,
    [schemaLockKey(schema)],
  );
  return rows[0]?.holder;
}
