import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { FENCE_FUNCTION, FENCE_TRIGGER } from './write-fence.js';

/** An object of a schema, in words that are the same on both servers. */
export interface CatalogObject {
  readonly kind: string;
  /** The name; that of an object of a table begins with the table and a dot. */
  readonly name: string;
  readonly definition: string;
}

/** Kinds whose definitions another major version may print differently. Their names are compared then. */
const PRINTED_BY_VERSION: ReadonlySet<string> = new Set([
  'view',
  'materialized view',
  'function',
  'trigger',
  'policy',
  'rule',
  'index',
  'constraint',
  'statistics object',
]);

/** Maximum number of differences in a message. */
const MAX_LISTED = 30;

const IN_SCHEMA = '(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)';

/**
 * All objects of the schema but the fence of a move. With `search_path` at pg_catalog, the server prints the names of other schemas
 * in full, so equal texts are equal definitions.
 */
export function readCatalog(client: pg.ClientBase, schema: string): Promise<CatalogObject[]> {
  return readRows<CatalogObject>(client, CATALOG, [schema]);
}

const CATALOG = `
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'type' END AS kind,
       c.relname::text AS name,
       concat_ws(' ', c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
         CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
         (SELECT concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
            FROM pg_catalog.pg_sequence s WHERE s.seqrelid = c.oid)) AS definition
  FROM pg_catalog.pg_class c
 WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
UNION ALL
SELECT 'column', c.relname || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
         pg_get_expr(d.adbin, d.adrelid),
         (SELECT l.collname FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
-- Whether a column may be NULL is compared with the columns: older servers have no constraint for it.
SELECT 'constraint', coalesce(c.relname, t.typname) || '.' || k.conname,
       regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')
  FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
 WHERE k.connamespace = ${IN_SCHEMA} AND k.contype NOT IN ('n', 't')
UNION ALL
SELECT 'index', c.relname || '.' || x.relname,
       pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 WHERE c.relnamespace = ${IN_SCHEMA}
UNION ALL
SELECT 'trigger', c.relname || '.' || g.tgname, pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text
  FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
 WHERE c.relnamespace = ${IN_SCHEMA} AND NOT g.tgisinternal AND g.tgname <> '${FENCE_TRIGGER}'
UNION ALL
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
       CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE '' END
  FROM pg_catalog.pg_proc p WHERE p.pronamespace = ${IN_SCHEMA} AND p.proname <> '${FENCE_FUNCTION}'
UNION ALL
SELECT 'type', t.typname::text,
       concat_ws(' ', t.typtype, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END, t.typnotnull, t.typdefault,
         (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
         (SELECT format_type(r.rngsubtype, NULL) FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid))
  FROM pg_catalog.pg_type t WHERE t.typnamespace = ${IN_SCHEMA} AND t.typtype IN ('d', 'e', 'r')
UNION ALL
SELECT 'policy', c.relname || '.' || p.polname,
       concat_ws(' ', p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
         -- The owner may have another name on the other server.
         (SELECT string_agg(r.name, ', ' ORDER BY r.name)
            FROM (SELECT CASE role WHEN 0 THEN 'PUBLIC' WHEN c.relowner THEN 'the owner' ELSE pg_get_userbyid(role)::text END AS name
                    FROM unnest(p.polroles) role) r))
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = ${IN_SCHEMA}
UNION ALL
SELECT 'rule', c.relname || '.' || w.rulename, pg_get_ruledef(w.oid)
  FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
 WHERE c.relnamespace = ${IN_SCHEMA} AND w.rulename <> '_RETURN'
UNION ALL
SELECT 'statistics object', s.stxname::text, pg_get_statisticsobjdef(s.oid)
  FROM pg_catalog.pg_statistic_ext s WHERE s.stxnamespace = ${IN_SCHEMA}
UNION ALL
SELECT 'collation', l.collname::text, concat_ws(' ', l.collprovider, l.collisdeterministic, l.collcollate)
  FROM pg_catalog.pg_collation l WHERE l.collnamespace = ${IN_SCHEMA}
UNION ALL
SELECT 'operator', o.oprname || '(' || format_type(o.oprleft, NULL) || ', ' || format_type(o.oprright, NULL) || ')', o.oprcode::text
  FROM pg_catalog.pg_operator o WHERE o.oprnamespace = ${IN_SCHEMA}
UNION ALL
SELECT 'text search configuration', f.cfgname::text, '' FROM pg_catalog.pg_ts_config f WHERE f.cfgnamespace = ${IN_SCHEMA}`;

/**
 * The differences between the schema that is moved and the one that the migrations have made on the new server, as sentences.
 *
 * @param sameVersion - whether both servers have the same major version
 */
export function compareCatalogs(
  source: readonly CatalogObject[],
  target: readonly CatalogObject[],
  sameVersion: boolean,
): string[] {
  const there = new Map(target.map((object) => [keyOf(object), object]));
  const here = new Set(source.map(keyOf));
  const extra = source.filter((object) => !there.has(keyOf(object)));
  const missing = target.filter((object) => !here.has(keyOf(object)));
  const changed = source.filter((object) => {
    const other = there.get(keyOf(object));
    if (other === undefined || (!sameVersion && PRINTED_BY_VERSION.has(object.kind))) return false;
    return other.definition !== object.definition;
  });
  const problems = [
    ...withoutParts(extra).map(
      (object) => `No migration makes the ${nameOf(object)}. Add one, or drop it.`,
    ),
    ...withoutParts(missing).map(
      (object) => `The migrations make the ${nameOf(object)}, which the schema does not have.`,
    ),
    ...changed.map((object) => `The ${nameOf(object)} is not as the migrations make it.`),
  ];
  if (problems.length <= MAX_LISTED) return problems;
  return [...problems.slice(0, MAX_LISTED), `There are ${problems.length - MAX_LISTED} more.`];
}

/** Leaves out the parts of a table, such as columns, if the table itself is among the objects. */
function withoutParts(objects: readonly CatalogObject[]): CatalogObject[] {
  const whole = new Set(objects.map(({ name }) => name));
  return objects.filter(({ name }) => {
    const dot = name.indexOf('.');
    return dot === -1 || !whole.has(name.slice(0, dot));
  });
}

function keyOf({ kind, name }: CatalogObject): string {
  return `${kind} ${name}`;
}

function nameOf({ kind, name }: CatalogObject): string {
  return `${kind} ${JSON.stringify(name)}`;
}
