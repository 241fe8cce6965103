import type pg from 'pg';
import { quoteIdentifier } from '../quote-identifier.js';

/** Maximum number of names in a message. */
const NAMED = 5;

/**
 * Objects of other schemas that depend directly on objects of this one: views, foreign keys, functions, columns.
 * `DROP SCHEMA … CASCADE` would drop them too, without an error.
 */
export async function foreignDependents(client: pg.Client, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `WITH own AS (
       SELECT 'pg_class'::regclass AS classid, oid FROM pg_catalog.pg_class WHERE relnamespace = $1::regnamespace
       UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE pronamespace = $1::regnamespace
       UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE typnamespace = $1::regnamespace
     ), dependent AS (
       SELECT DISTINCT d.classid, d.objid,
              coalesce(c.relnamespace, r.relnamespace, k.connamespace, p.pronamespace, t.typnamespace,
                       b.relnamespace, g.relnamespace) AS namespace
         FROM own JOIN pg_catalog.pg_depend d ON d.refclassid = own.classid AND d.refobjid = own.oid
         LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
         LEFT JOIN pg_catalog.pg_class r ON r.oid = w.ev_class
         LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
         LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
         LEFT JOIN pg_catalog.pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
         LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
         LEFT JOIN pg_catalog.pg_class b ON b.oid = f.adrelid
         LEFT JOIN pg_catalog.pg_trigger h ON d.classid = 'pg_trigger'::regclass AND h.oid = d.objid
         LEFT JOIN pg_catalog.pg_class g ON g.oid = h.tgrelid
     )
     SELECT pg_describe_object(classid, objid, 0) AS name FROM dependent
      WHERE namespace <> $1::regnamespace AND namespace <> 'pg_toast'::regnamespace
      ORDER BY 1`,
    [quoteIdentifier(schema)],
  );
  return shortened(rows.map(({ name }) => name));
}

/**
 * Objects that a role owns outside of its schema, and its grants in other databases. They prevent the role's removal.
 * Large objects and temporary objects are left out, because any role can create them, and a tenant could prevent its
 * removal that way. The former are dropped with the role, the latter end with its connections.
 */
export async function ownedElsewhere(
  client: pg.Client,
  schema: string,
  role: string,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT CASE WHEN o.is_here THEN pg_describe_object(o.classid, o.objid, o.objsubid)
                 ELSE 'something in database ' || quote_ident(coalesce(o.datname, '?')) END AS name
       FROM (SELECT s.*, d.datname, s.dbid IN (0, here.oid) AS is_here
               FROM pg_catalog.pg_shdepend s
               JOIN pg_catalog.pg_database here ON here.datname = current_database()
               LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
              WHERE s.refclassid = 'pg_authid'::regclass
                AND s.refobjid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $2::name)) o
      WHERE NOT o.is_here
         OR (o.deptype = 'o' AND o.classid <> 'pg_default_acl'::regclass
             AND NOT (o.classid = 'pg_namespace'::regclass
                      AND o.objid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = $1::name))
             AND o.classid <> 'pg_largeobject'::regclass
             AND (pg_identify_object(o.classid, o.objid, o.objsubid)).schema IS DISTINCT FROM quote_ident($1::text)
             AND coalesce((pg_identify_object(o.classid, o.objid, o.objsubid)).schema, '') !~ '^pg_(toast_)?temp')
      ORDER BY 1`,
    [schema, role],
  );
  return shortened(rows.map(({ name }) => name));
}

/** Objects of this database on which roles whose rights this login lacks have granted the role rights. */
export async function grantedByOthers(client: pg.Client, role: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT pg_describe_object(s.classid, s.objid, s.objsubid) AS name
       FROM pg_catalog.pg_shdepend s
      WHERE s.refclassid = 'pg_authid'::regclass
        AND s.refobjid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $1::name)
      ORDER BY 1`,
    [role],
  );
  return shortened(rows.map(({ name }) => name));
}

function shortened(names: readonly string[]): string[] {
  const distinct = [...new Set(names)];
  if (distinct.length <= NAMED) return distinct;
  return [...distinct.slice(0, NAMED), `and ${distinct.length - NAMED} more`];
}
