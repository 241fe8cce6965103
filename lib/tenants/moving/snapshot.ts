import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';

/** A state of the source that several connections read. */
export interface SourceSnapshot {
  /**
   * The oldest transaction that was in progress, as 32 bits. What any later one writes, and what this one writes, is not in the
   * snapshot.
   */
  readonly oldest: string;
}

/**
 * Runs `work` with all connections in transactions that read one snapshot. They read only.
 *
 * @param path - tables to lock first, so that none is altered while it is read; the locks delay no reader and no writer
 */
export async function inSnapshot<T>(
  clients: readonly pg.ClientBase[],
  paths: readonly string[],
  work: (snapshot: SourceSnapshot) => Promise<T>,
): Promise<T> {
  const [first, ...others] = clients;
  if (first === undefined) throw new Error('A snapshot needs a connection.');
  for (const client of clients) {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  }
  if (paths.length > 0) {
    const tables = paths.map((path) => `ONLY ${path}`).join(', ');
    await first.query(`LOCK TABLE ${tables} IN ACCESS SHARE MODE`);
  }
  const [snapshot] = await readRows<{ id: string; oldest: string }>(
    first,
    `SELECT pg_export_snapshot() AS id,
            (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::text AS oldest`,
  );
  if (snapshot === undefined) throw new Error('The server returned no row.');
  for (const client of others) await client.query(`SET TRANSACTION SNAPSHOT '${snapshot.id}'`);
  const result = await work(snapshot);
  for (const client of clients) await client.query('COMMIT');
  return result;
}

/**
 * An SQL condition: whether a row may have been written after the snapshot. All such rows match, and some older ones: those of
 * transactions that began after the oldest one, and rows as old as the range of transaction ids.
 */
export function writtenSince({ oldest }: SourceSnapshot): string {
  return `age(t.xmin) <= age('${oldest}'::xid)`;
}

/** The error of a copy of the changes that takes too long, with the transaction that may be the cause. */
export async function tooManyChanges(client: pg.ClientBase, tookMs: number): Promise<Error> {
  const [oldest] = await readRows<{ pid: number; database: string }>(
    client,
    `SELECT pid, coalesce(datname, '')::text AS database FROM pg_catalog.pg_stat_activity
      WHERE pid <> pg_backend_pid()
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      ORDER BY greatest(age(backend_xmin), age(backend_xid)) DESC LIMIT 1`,
  );
  const cause =
    oldest === undefined
      ? 'the tenant writes too much at the moment'
      : `the oldest transaction of the old server keeps them from getting fewer: end process ${oldest.pid} of database ` +
        `"${oldest.database}", or wait for it`;
  return new Error(
    `the last changes took ${Math.ceil(tookMs / 1000)} s to copy, and the tenant would be stopped as long; ${cause}`,
  );
}
