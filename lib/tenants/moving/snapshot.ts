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
