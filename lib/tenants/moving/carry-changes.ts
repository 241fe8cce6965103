import type pg from 'pg';
import { assertEqual, checksumOf, countChanged, countRows } from './checksum.js';
import { copyRows } from './copy-rows.js';
import type { MovedTable } from './moved-tables.js';
import { writtenSince, type SourceSnapshot } from './snapshot.js';

/** The connections of one worker. That of the source is in a snapshot. */
export interface Carrier {
  readonly source: pg.ClientBase;
  readonly target: pg.ClientBase;
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Copies all rows of a table, in place of those that are there, and compares the checksums. Returns the number of rows.
 *
 * The transaction that empties the table fills it too, so the rows can be stored as old ones, which no vacuum has to visit again.
 */
export async function copyTable(carrier: Carrier, table: MovedTable): Promise<number> {
  const { source, target, onBytes } = carrier;
  const columns = table.columns.join(', ');
  await target.query('BEGIN');
  await target.query(`TRUNCATE ONLY ${table.path}`);
  const rows = await copyRows({
    from: source,
    query: `(SELECT ${columns} FROM ONLY ${table.path})`,
    to: target,
    into: `${table.path} (${columns})`,
    isBinary: table.isBinary,
    options: ', FREEZE',
    ...(onBytes === undefined ? {} : { onBytes }),
  });
  await target.query('COMMIT');
  const all = `ONLY ${table.path} t`;
  const [before, after] = await Promise.all([
    checksumOf(source, table, all),
    checksumOf(target, table, all),
  ]);
  assertEqual(table, before, after);
  return rows;
}

/**
 * Makes a table that was copied equal to the source again, and returns the number of rows that were sent. Rows that were written
 * since the snapshot replace those with their key. If the numbers of rows then differ, rows were deleted: the keys of all are
 * sent, and rows without one are deleted. New rows come last, so that a key that a deleted row had is free.
 *
 * A table without a key is copied anew.
 */
export async function carryChanges(
  carrier: Carrier,
  table: MovedTable,
  since: SourceSnapshot,
): Promise<number> {
  if (table.key.length === 0) return copyTable(carrier, table);
  const { source, target, onBytes } = carrier;
  const columns = table.columns.join(', ');
  const progress = onBytes === undefined ? {} : { onBytes };
  const changedRows = `ONLY ${table.path} t WHERE ${writtenSince(since)}`;
  const [{ rows: there, changed: maybe }, before] = await Promise.all([
    countChanged(source, table, since),
    countRows(target, table),
  ]);
  // Most tables, at most times.
  if (maybe === 0 && before === there) return 0;
  await target.query('BEGIN');
  await target.query(
    `CREATE TEMPORARY TABLE cloacina_changed ON COMMIT DROP AS SELECT ${columns} FROM ${table.path} WITH NO DATA`,
  );
  const changed = await copyRows({
    from: source,
    query: `(SELECT ${columns} FROM ${changedRows})`,
    to: target,
    into: `pg_temp.cloacina_changed (${columns})`,
    isBinary: table.isBinary,
    ...progress,
  });
  if (changed > 0) {
    // Without statistics, the plan may compare each row with each other one.
    await target.query('ANALYZE pg_temp.cloacina_changed');
    await target.query(
      `DELETE FROM ONLY ${table.path} t USING pg_temp.cloacina_changed c WHERE ${sameKey(table)}`,
    );
  }
  if ((await countRows(target, table)) + changed !== there) {
    await deleteMissing(carrier, table);
  }
  if (changed > 0) {
    await target.query(
      `INSERT INTO ${table.path} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM pg_temp.cloacina_changed`,
    );
  }
  const here = await countRows(target, table);
  if (here !== there) {
    throw new Error(
      `table "${table.name}" has ${there} rows on the old server, and ${here} on the new one`,
    );
  }
  if (changed > 0) {
    assertEqual(
      table,
      await checksumOf(source, table, changedRows),
      await checksumOf(
        target,
        table,
        `ONLY ${table.path} t JOIN pg_temp.cloacina_changed c ON ${sameKey(table)}`,
      ),
    );
  }
  await target.query('COMMIT');
  return changed;
}

async function deleteMissing({ source, target }: Carrier, table: MovedTable): Promise<void> {
  const key = table.key.join(', ');
  await target.query(
    `CREATE TEMPORARY TABLE cloacina_keys ON COMMIT DROP AS SELECT ${key} FROM ${table.path} WITH NO DATA`,
  );
  await copyRows({
    from: source,
    query: `(SELECT ${key} FROM ONLY ${table.path})`,
    to: target,
    into: `pg_temp.cloacina_keys (${key})`,
    isBinary: table.isBinary,
  });
  await target.query('ANALYZE pg_temp.cloacina_keys');
  await target.query(
    `DELETE FROM ONLY ${table.path} t
      WHERE NOT EXISTS (SELECT FROM pg_temp.cloacina_keys c WHERE ${sameKey(table)})`,
  );
}

function sameKey({ key, keyEquals }: MovedTable): string {
  return key.map((column, n) => `t.${column} ${keyEquals[n] ?? '='} c.${column}`).join(' AND ');
}
