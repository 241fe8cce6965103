import type pg from 'pg';
import { quoteIdentifier } from '../quote-identifier.js';

/** Objects dropped per transaction. Each takes locks from the server's lock table, a table four or more. */
const CHUNK = 200;

interface SchemaObject {
  /** The keywords of DROP for the object's kind. */
  readonly kind: string;
  /** Qualified and quoted name. */
  readonly name: string;
}

/**
 * Drops the application's objects in a schema, some hundred per transaction. Keeps the library's tables, which still
 * identify the schema as a tenant's. Used if `DROP SCHEMA … CASCADE` needs more locks than the server has
 * (`max_locks_per_transaction`).
 *
 * @param inTransaction - runs each part in a transaction, and commits it
 */
export async function dropInParts(
  client: pg.Client,
  schema: string,
  inTransaction: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const objects = await ownObjects(client, schema);
  for (let start = 0; start < objects.length; start += CHUNK) {
    const drops = objects
      .slice(start, start + CHUNK)
      .map(({ kind, name }) => `DROP ${kind} IF EXISTS ${name} CASCADE`);
    await inTransaction(async () => {
      await client.query(drops.join('; '));
    });
  }
}

async function ownObjects(client: pg.Client, schema: string): Promise<SchemaObject[]> {
  const { rows } = await client.query<SchemaObject>(
    `SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                           WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind,
            format('%I.%I', $1::text, c.relname) AS name
       FROM pg_catalog.pg_class c
      WHERE c.relnamespace = $2::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
        AND c.relname NOT LIKE 'cloacina\\_%'
        -- A partition, or an object that a column owns, is dropped with its table.
        AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                           AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid)
     UNION ALL
     SELECT 'ROUTINE', (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity
       FROM pg_catalog.pg_proc p WHERE p.pronamespace = $2::regnamespace
     UNION ALL
     SELECT 'TYPE', format('%I.%I', $1::text, t.typname)
       FROM pg_catalog.pg_type t WHERE t.typnamespace = $2::regnamespace AND t.typtype IN ('d', 'e', 'r')`,
    [schema, quoteIdentifier(schema)],
  );
  return rows;
}
