import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';
import type { MovedTable } from './moved-tables.js';
import { writtenSince, type SourceSnapshot } from './snapshot.js';

/** The number of rows, and the sum of the hashes of their texts. Both as text: they may exceed a number. */
export interface Checksum {
  readonly rows: string;
  readonly sum: string;
}

/**
 * Computes the checksum of rows, in any order. Columns that the server generates are left out, as in the copy.
 *
 * @param from - what follows FROM; the table has the alias `t`
 */
export async function checksumOf(
  client: pg.ClientBase,
  { columns }: Pick<MovedTable, 'columns'>,
  from: string,
): Promise<Checksum> {
  const row = columns.map((column) => `t.${column}`).join(', ');
  const [sum] = await readRows<Checksum>(
    client,
    `SELECT count(*)::text AS rows,
            coalesce(sum(hashtextextended(ROW(${row})::text, 0)::numeric), 0)::text AS sum
       FROM ${from}`,
  );
  if (sum === undefined) throw new Error('The server returned no row.');
  return sum;
}

/** @throws Error if they differ: a table that changed although it can't, or a defect */
export function assertEqual(table: MovedTable, source: Checksum, target: Checksum): void {
  if (source.rows === target.rows && source.sum === target.sum) return;
  throw new Error(
    `table "${table.name}" differs on the two servers: ${source.rows} rows with the checksum ${source.sum} on the old one, ` +
      `${target.rows} with ${target.sum} on the new one`,
  );
}

export async function countRows(client: pg.ClientBase, { path }: MovedTable): Promise<number> {
  const [row] = await readRows<{ rows: string }>(
    client,
    `SELECT count(*)::text AS rows FROM ONLY ${path}`,
  );
  return Number(row?.rows);
}

/** Counts the rows of the source, and those that may have been written after a snapshot. It reads the table once. */
export async function countChanged(
  client: pg.ClientBase,
  { path }: MovedTable,
  since: SourceSnapshot,
): Promise<{ readonly rows: number; readonly changed: number }> {
  const [row] = await readRows<{ rows: string; changed: string }>(
    client,
    `SELECT count(*)::text AS rows, (count(*) FILTER (WHERE ${writtenSince(since)}))::text AS changed
       FROM ONLY ${path} t`,
  );
  return { rows: Number(row?.rows), changed: Number(row?.changed) };
}
