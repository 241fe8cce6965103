import type pg from 'pg';
import { readRows } from '../store/postgres/connections/own-types.js';
import { FENCE_TRIGGER } from '../tenants/moving/write-fence.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../store/postgres/migrations/index.js';

/** One object of a schema: a table, a column, an index, a constraint, a trigger. */
export interface ShapeLine {
  readonly kind: 'table' | 'view' | 'column' | 'index' | 'constraint' | 'trigger';
  /** The table or view that it belongs to. */
  readonly relation: string;
  readonly name: string;
  /** Everything about it that matters to the library, without the name of the schema. */
  readonly definition: string;
}

/** The library's tables and views in the schema `$1`, without the history, which TypeORM makes. */
const RELATIONS = `SELECT c.oid, c.relname::text AS relation, c.relkind, c.relpersistence, c.reloptions,
                          pg_catalog.quote_ident(n.nspname) || '.' AS prefix
   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname LIKE 'cloacina\\_%'
    AND c.relname <> '${CLOACINA_MIGRATIONS_TABLE}'`;

/**
 * Of the options of a table only the fillfactor, because an operator may tune autovacuum. Of the constraints not those of
 * NOT NULL, which only PostgreSQL 18 has: columns have the same fact. Of the triggers not the fence of a move.
 */
const READ_SHAPE = `WITH relation AS MATERIALIZED (${RELATIONS})
  SELECT CASE r.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS kind, r.relation, r.relation AS name,
         CASE WHEN r.relkind = 'v' THEN replace(pg_catalog.pg_get_viewdef(r.oid), r.prefix, '')
              ELSE concat_ws(' ', r.relkind::text, r.relpersistence::text,
                             (SELECT o FROM unnest(r.reloptions) o WHERE o LIKE 'fillfactor=%')) END AS definition
    FROM relation r
  UNION ALL
  SELECT 'column', r.relation, a.attname::text,
         concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                   CASE WHEN a.attcollation <> t.typcollation
                        THEN 'COLLATE ' || (SELECT l.collname FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation) END,
                   nullif(a.attidentity::text, ''), 'DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    FROM relation r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE r.relkind <> 'v'
  UNION ALL
  SELECT 'index', r.relation, i.relname::text,
         concat_ws(' ', replace(pg_catalog.pg_get_indexdef(i.oid), r.prefix, ''), CASE WHEN NOT x.indisvalid THEN 'INVALID' END)
    FROM relation r JOIN pg_catalog.pg_index x ON x.indrelid = r.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  UNION ALL
  SELECT 'constraint', r.relation, o.conname::text, replace(pg_catalog.pg_get_constraintdef(o.oid), r.prefix, '')
    FROM relation r JOIN pg_catalog.pg_constraint o ON o.conrelid = r.oid WHERE o.contype <> 'n'
  UNION ALL
  SELECT 'trigger', r.relation, g.tgname::text, replace(pg_catalog.pg_get_triggerdef(g.oid), r.prefix, '')
    FROM relation r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal AND g.tgname <> '${FENCE_TRIGGER}'`;

/**
 * Reads what the library's tables in a schema are. It needs no right on them.
 *
 * The path of the session has to be `pg_catalog`, because views are shown with the names that the path makes necessary.
 */
export function readShape(client: pg.ClientBase, schema: string): Promise<ShapeLine[]> {
  return readRows<ShapeLine>(client, READ_SHAPE, [schema]);
}

/** How a schema differs from what the migrations make. Of a missing table only the table itself. */
export interface ShapeDifference {
  readonly missing: readonly ShapeLine[];
  readonly changed: readonly { readonly expected: ShapeLine; readonly actual: ShapeLine }[];
  /** Objects on the library's tables that the migrations don't make. Tables of others are no difference. */
  readonly unexpected: readonly ShapeLine[];
}

export function compareShapes(
  expected: readonly ShapeLine[],
  actual: readonly ShapeLine[],
): ShapeDifference {
  const key = ({ kind, relation, name }: ShapeLine): string =>
    // A view in the place of a table is a changed table.
    `${kind === 'view' ? 'table' : kind} ${relation} ${name}`;
  const found = new Map(actual.map((line) => [key(line), line]));
  const known = new Set(expected.map(key));
  const relations = new Set(actual.map(({ relation }) => relation));
  const ofLibrary = new Set(expected.map(({ relation }) => relation));
  return {
    missing: expected.filter(
      (line) =>
        !found.has(key(line)) &&
        (line.kind === 'table' || line.kind === 'view' || relations.has(line.relation)),
    ),
    changed: expected.flatMap((line) => {
      const now = found.get(key(line));
      return now === undefined || now.definition === line.definition
        ? []
        : [{ expected: line, actual: now }];
    }),
    unexpected: actual.filter((line) => ofLibrary.has(line.relation) && !known.has(key(line))),
  };
}
