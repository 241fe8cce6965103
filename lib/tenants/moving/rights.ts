import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { isolationRoleName } from '../admin/role-name.js';
import { FENCE_FUNCTION } from './write-fence.js';

/** Stands for the role of the mover's connection, whose name may differ on the two servers. No role has an empty name. */
export const MOVER = '';
/** Stands for all roles. No role may have this name. */
export const PUBLIC = 'public';

/** The owner of an object, in words that are the same on both servers. */
export interface Owned {
  /** As in `ALTER TABLE tenant_acme.purchase OWNER TO`: `TABLE tenant_acme.purchase`. */
  readonly object: string;
  readonly owner: string;
}

/** A right, in words that are the same on both servers. */
export interface Grant {
  /** The role whose new objects get the right. Null for a right on an object that exists. */
  readonly creator: string | null;
  /** Whether a right on new objects is one on those of this schema only. */
  readonly inSchema: boolean;
  /** As in `GRANT … ON`: `TABLE tenant_acme.purchase`, or `TABLES` with a creator. */
  readonly object: string;
  /** The quoted name of the column. Null for the whole object. */
  readonly column: string | null;
  readonly grantee: string;
  readonly privilege: string;
  /** Whether the grantee may grant it to others. */
  readonly isGrantable: boolean;
}

/** Who may do what in a schema. */
export interface Rights {
  readonly owners: readonly Owned[];
  readonly grants: readonly Grant[];
  /** The major version of the server. */
  readonly version: number;
}

/**
 * Reads the owners of a schema and its objects, and all rights on them, also those that follow from no GRANT. The isolation role is
 * left out, because its name differs, and each boot puts its rights in order. So is the fence of a move.
 *
 * @param login - the tenant's own login, whose rights on new objects are read in every schema
 */
export async function readRights(
  client: pg.ClientBase,
  schema: string,
  login: string | undefined,
): Promise<Rights> {
  const [place] = await readRows<{ database: string; version: number }>(
    client,
    `SELECT current_database()::text AS database, current_setting('server_version_num')::integer / 10000 AS version`,
  );
  if (place === undefined) throw new Error('The server returned no row.');
  const isolation = isolationRoleName(place.database, schema);
  const owners = await readRows<{ type: string; identity: string; owner: string }>(client, OWNERS, [
    schema,
  ]);
  const grants = await readRows<Grant>(client, GRANTS, [schema, login ?? null, isolation]);
  return {
    owners: owners.map(({ type, identity, owner }) => ({
      object: `${ALTERED_AS[type] ?? type.toUpperCase()} ${identity}`,
      owner,
    })),
    grants,
    version: place.version,
  };
}

/** Types of objects that ALTER names in another way than the server does. */
const ALTERED_AS: Readonly<Record<string, string>> = { 'statistics object': 'STATISTICS' };

const IN_SCHEMA = '(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)';

/** Types that are not made by another object, such as the one of a table's rows. */
const OWN_TYPE = `t.typtype IN ('d', 'e', 'r')
    OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))`;

/** A sequence of a column follows the owner of its table. */
const OWNERS = `
SELECT i.type, i.identity, CASE WHEN r.rolname = current_user THEN '${MOVER}' ELSE r.rolname::text END AS owner
  FROM (
    SELECT 'pg_catalog.pg_namespace'::regclass AS class, n.oid, n.nspowner AS owner
      FROM pg_catalog.pg_namespace n WHERE n.nspname = $1
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, c.relowner FROM pg_catalog.pg_class c
     WHERE c.relnamespace = ${IN_SCHEMA} AND (c.relkind IN ('r', 'p', 'v', 'm', 'f') OR c.relkind = 'S' AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, p.proowner FROM pg_catalog.pg_proc p
     WHERE p.pronamespace = ${IN_SCHEMA} AND p.proname <> '${FENCE_FUNCTION}'
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid, t.typowner FROM pg_catalog.pg_type t
     WHERE t.typnamespace = ${IN_SCHEMA} AND (${OWN_TYPE})
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::regclass, l.oid, l.collowner FROM pg_catalog.pg_collation l
     WHERE l.collnamespace = ${IN_SCHEMA}
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::regclass, o.oid, o.oprowner FROM pg_catalog.pg_operator o
     WHERE o.oprnamespace = ${IN_SCHEMA}
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, s.stxowner FROM pg_catalog.pg_statistic_ext s
     WHERE s.stxnamespace = ${IN_SCHEMA}
    UNION ALL
    SELECT 'pg_catalog.pg_ts_config'::regclass, f.oid, f.cfgowner FROM pg_catalog.pg_ts_config f
     WHERE f.cfgnamespace = ${IN_SCHEMA}
  ) o
  JOIN pg_catalog.pg_roles r ON r.oid = o.owner
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) i
 -- First the schema: a new owner of its objects may have to own it too.
 ORDER BY i.type <> 'schema', 1, 2`;

const GRANTS = `
SELECT CASE WHEN c.rolname = current_user THEN '${MOVER}' ELSE c.rolname::text END AS creator,
       o.in_schema AS "inSchema", o.object, o.column_name AS column,
       CASE WHEN a.grantee = 0 THEN '${PUBLIC}' WHEN g.rolname = current_user THEN '${MOVER}' ELSE g.rolname::text END AS grantee,
       a.privilege_type AS privilege, bool_or(a.is_grantable) AS "isGrantable"
  FROM (
    SELECT NULL::oid AS creator, true AS in_schema, 'SCHEMA ' || quote_ident(n.nspname) AS object, NULL::text AS column_name,
           coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
      FROM pg_catalog.pg_namespace n WHERE n.nspname = $1
    UNION ALL
    SELECT NULL, true, CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || format('%I.%I', $1::text, c.relname), NULL,
           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
      FROM pg_catalog.pg_class c
     WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT NULL, true, format('TABLE %I.%I', $1::text, c.relname), quote_ident(a.attname), a.attacl
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT NULL, true, 'ROUTINE ' || (pg_identify_object('pg_catalog.pg_proc'::regclass, p.oid, 0)).identity, NULL,
           coalesce(p.proacl, acldefault('f', p.proowner))
      FROM pg_catalog.pg_proc p WHERE p.pronamespace = ${IN_SCHEMA} AND p.proname <> '${FENCE_FUNCTION}'
    UNION ALL
    SELECT NULL, true, format('TYPE %I.%I', $1::text, t.typname), NULL, coalesce(t.typacl, acldefault('T', t.typowner))
      FROM pg_catalog.pg_type t WHERE t.typnamespace = ${IN_SCHEMA} AND (${OWN_TYPE})
    UNION ALL
    SELECT d.defaclrole, true, k.name, NULL, d.defaclacl
      FROM pg_catalog.pg_default_acl d
      JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'ROUTINES'), ('T', 'TYPES')) k (kind, name)
        ON k.kind = d.defaclobjtype::text
     WHERE d.defaclnamespace = ${IN_SCHEMA}
    UNION ALL
    SELECT r.oid, false, k.name, NULL, coalesce(d.defaclacl, acldefault(k.base::"char", r.oid))
      FROM pg_catalog.pg_roles r
     CROSS JOIN (VALUES ('r', 'r', 'TABLES'), ('S', 's', 'SEQUENCES'), ('f', 'f', 'ROUTINES'), ('T', 'T', 'TYPES')) k (kind, base, name)
      LEFT JOIN pg_catalog.pg_default_acl d
        ON d.defaclrole = r.oid AND d.defaclnamespace = 0 AND d.defaclobjtype::text = k.kind
     WHERE r.rolname = $2::text
  ) o
  CROSS JOIN LATERAL aclexplode(o.acl) a
  LEFT JOIN pg_catalog.pg_roles c ON c.oid = o.creator
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
 WHERE (a.grantee = 0 OR g.rolname IS NOT NULL) AND g.rolname IS DISTINCT FROM $3::text
 GROUP BY 1, 2, 3, 4, 5, 6
 ORDER BY 3, 4, 5, 6`;
