import pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { SERVER_CLOCK } from '../../store/postgres/statements/sql-clock.js';

/**
 * The library's objects in a schema: all with its prefix. They are read from the catalog instead of a fixed list, so that
 * the move includes whatever later migrations add. Indexes, constraints, row types, and sequences of identity columns
 * belong to a table and move with it.
 */
const OBJECTS = `
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
              WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind,
         quote_ident(c.relname) AS name, c.relnamespace AS namespace, c.relname AS raw
    FROM pg_catalog.pg_class c
   WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'c')
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0
                        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
  UNION ALL
  SELECT 'TYPE', quote_ident(t.typname), t.typnamespace, t.typname
    FROM pg_catalog.pg_type t WHERE t.typtype IN ('d', 'e')
  UNION ALL
  SELECT 'ROUTINE', format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), p.pronamespace, p.proname
    FROM pg_catalog.pg_proc p`;

/** An object of the library, in the form that ALTER takes. */
export interface MovableObject {
  readonly kind: string;
  /** Quoted name without the schema. */
  readonly name: string;
}

/** Returns tables first, sorted by name: sessions that lock them in another order could deadlock with a move. */
export async function findObjects(
  client: pg.ClientBase,
  schema: string,
): Promise<readonly MovableObject[]> {
  const rows = await readRows<MovableObject>(
    client,
    `SELECT o.kind, o.name FROM (${OBJECTS}) o
       JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace AND n.nspname = $1
      WHERE starts_with(o.raw, 'cloacina_')
      ORDER BY o.kind <> 'TABLE', o.kind, o.name`,
    [schema],
  );
  return rows;
}

/** Names in the target schema that the moved objects would collide with, such as that of an index. */
export async function findCollisions(
  client: pg.ClientBase,
  schema: string,
  target: string,
): Promise<readonly string[]> {
  const rows = await readRows<{ name: string }>(
    client,
    `SELECT there.relname AS name
       FROM pg_catalog.pg_class here
       LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = here.oid
       JOIN pg_catalog.pg_class t ON t.oid = coalesce(i.indrelid, here.oid) AND starts_with(t.relname, 'cloacina_')
       JOIN pg_catalog.pg_class there ON there.relname = here.relname
      WHERE here.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
        AND there.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $2)
      ORDER BY 1`,
    [schema, target],
  );
  return rows.map(({ name }) => name);
}

/**
 * The statement that locks all tables. It has no parameters, because it is a utility statement, and uses the one lock mode
 * that ALTER … SET SCHEMA needs. Views come first, because a query on a view also locks the view before its tables.
 */
export function lockTables(schema: string, objects: readonly MovableObject[]): string {
  const ofKind = (wanted: string): MovableObject[] => objects.filter(({ kind }) => kind === wanted);
  const paths = [...ofKind('VIEW'), ...ofKind('TABLE')].map(
    ({ name }) => `${pg.escapeIdentifier(schema)}.${name}`,
  );
  return `LOCK TABLE ${paths.join(', ')} IN ACCESS EXCLUSIVE MODE`;
}

export function moveObjects(
  schema: string,
  target: string,
  objects: readonly MovableObject[],
): string {
  return objects
    .map(
      ({ kind, name }) =>
        `ALTER ${kind} ${pg.escapeIdentifier(schema)}.${name} SET SCHEMA ${pg.escapeIdentifier(target)}`,
    )
    .join('; ');
}

/** A process with an unexpired lease on the schema. */
export interface LeaseHolder {
  /** Host and process id. */
  readonly name: string;
  readonly expiresInMs: number;
}

/** Compares with the database's clock, which leases use too. */
export async function findLeaseHolder(
  client: pg.ClientBase,
  schema: string,
): Promise<LeaseHolder | undefined> {
  const rows = await readRows<LeaseHolder>(
    client,
    `SELECT coalesce(name, instance_id::text) AS name,
            ceil(extract(epoch FROM expires_at - ${SERVER_CLOCK.now}) * 1000)::float8 AS "expiresInMs"
       FROM ${pg.escapeIdentifier(schema)}.cloacina_runner_lease
      WHERE expires_at > ${SERVER_CLOCK.now} ORDER BY expires_at DESC LIMIT 1`,
  );
  return rows[0];
}
