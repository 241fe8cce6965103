import pg from 'pg';
import { CLOACINA_TABLES_OF_PROCESSES } from './tables-of-processes.js';
import { readRows } from '../../store/postgres/connections/own-types.js';

/** A table whose rows are moved. */
export interface MovedTable {
  readonly name: string;
  /** The qualified and quoted name. */
  readonly path: string;
  /** The quoted names of the stored columns, without those that the server generates or stamps with its transactions. */
  readonly columns: readonly string[];
  /** The quoted columns of the primary key. Empty without one. */
  readonly key: readonly string[];
  /** The operators that find equal values of the columns of the key. That of a type of an extension is in no search path. */
  readonly keyEquals: readonly string[];
  /** Whether both servers read the binary form of each column alike. It contains the ids of types that a schema defines. */
  readonly isBinary: boolean;
  /** The size of the table without its indexes, in bytes. */
  readonly bytes: number;
  /** The number of rows, as the server estimates it. */
  readonly estimatedRows: number;
}

/**
 * Whether a column has the id of the transaction that wrote its row. Each server counts its own, so the target's transactions stamp
 * the rows anew: in the order in which they were written, and before all rows that are written after the switch.
 */
export const IS_STAMPED = `a.atttypid = 'pg_catalog.xid8'::regtype AND EXISTS (
  SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
     AND pg_get_expr(d.adbin, d.adrelid) = 'pg_current_xact_id()')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey))`;

/** The number of the operator for equal values in the operator classes of B-trees, which all primary keys are. */
const EQUAL = 3;

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
                     AND NOT (${IS_STAMPED})
                   ORDER BY a.attnum) AS columns,
            ARRAY(SELECT quote_ident(a.attname) FROM pg_catalog.pg_index i, unnest(i.indkey) WITH ORDINALITY k (attnum, n)
                    JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum
                   WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND k.n <= i.indnkeyatts
                   ORDER BY k.n) AS key,
            ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                    FROM pg_catalog.pg_index i, unnest(i.indclass::oid[]) WITH ORDINALITY k (class, n)
                    JOIN pg_catalog.pg_opclass s ON s.oid = k.class
                    JOIN pg_catalog.pg_amop p ON p.amopfamily = s.opcfamily AND p.amopmethod = s.opcmethod AND p.amopstrategy = ${EQUAL}
                     AND p.amoplefttype = s.opcintype AND p.amoprighttype = s.opcintype
                    JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr
                    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
                   WHERE i.indrelid = c.oid AND i.indisprimary AND k.n <= i.indnkeyatts
                   ORDER BY k.n) AS "keyEquals",
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
