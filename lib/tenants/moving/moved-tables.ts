import pg from 'pg';
import { CLOACINA_TABLES_OF_PROCESSES } from './tables-of-processes.js';
import { readRows } from '../../store/postgres/connections/own-types.js';

/** A table whose rows are moved. */
export interface MovedTable {
  readonly name: string;
  /** The qualified and quoted name. */
  readonly path: string;
  /** The quoted names of the stored columns, without those that the server generates. */
  readonly columns: readonly string[];
  /** The quoted columns of the primary key. Empty without one. */
  readonly key: readonly string[];
  /** Whether both servers read the binary form of each column alike. It contains the ids of types that a schema defines. */
  readonly isBinary: boolean;
  /** The size of the table without its indexes, in bytes. */
  readonly bytes: number;
  /** The number of rows, as the server estimates it. */
  readonly estimatedRows: number;
}

/** The tables of a schema, the largest first: it is begun first, and the small ones fill the rest of the time. */
export async function readMovedTables(
  client: pg.ClientBase,
  schema: string,
): Promise<MovedTable[]> {
  const rows = await readRows<Omit<MovedTable, 'path' | 'bytes'> & { bytes: string }>(
    client,
    `SELECT c.relname AS name,
            ARRAY(SELECT quote_ident(a.attname) FROM pg_catalog.pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   ORDER BY a.attnum) AS columns,
            ARRAY(SELECT quote_ident(a.attname) FROM pg_catalog.pg_index i, unnest(i.indkey) WITH ORDINALITY k (attnum, n)
                    JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum
                   WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND k.n <= i.indnkeyatts
                   ORDER BY k.n) AS key,
            NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                           AND (t.oid >= 16384 OR t.typtype <> 'b' OR t.typname ~ '^_?reg' OR t.typsend = 0 OR t.typreceive = 0))
              AS "isBinary",
            pg_catalog.pg_table_size(c.oid)::text AS bytes,
            greatest(c.reltuples, 0)::float8 AS "estimatedRows"
       FROM pg_catalog.pg_class c
      WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
        AND c.relkind = 'r' AND c.relname <> ALL ($2::text[])
      ORDER BY pg_catalog.pg_table_size(c.oid) DESC, c.relname`,
    [schema, CLOACINA_TABLES_OF_PROCESSES],
  );
  return rows.map((row) => ({
    ...row,
    bytes: Number(row.bytes),
    path: `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(row.name)}`,
  }));
}
