import type pg from 'pg';
import { quoteIdentifier } from '../quote-identifier.js';

/** The tables that a removal reads and changes. */
const TABLES = [
  'cloacina_workflow_execution',
  'cloacina_task_execution',
  'cloacina_runner_lease',
] as const;

/**
 * Matches expressions, as the server prints them, that call a function, or that use an operator or a type outside of
 * pg_catalog. None of the library's own conditions matches.
 */
const CALL = String.raw`'[[:alnum:]_"](\(|\.[[:alpha:]_"])|OPERATOR'`;

/**
 * Locks the library's tables against changes of their definition, and tells whether they are plain. Another role can read
 * and change rows of plain tables without running any code of the tables' owner: there is no view in place of a table, no
 * trigger, rule, policy, type or generated column, and no function in an index or a constraint.
 *
 * The locks do not block readers and writers. Call it in a transaction with `search_path` at `pg_catalog`, and name the
 * tables with ONLY afterwards.
 */
export async function lockPlainTables(client: pg.ClientBase, schema: string): Promise<boolean> {
  if (!(await arePlain(client, schema))) return false;
  const paths = TABLES.map((table) => `ONLY ${quoteIdentifier(schema)}.${table}`);
  await client.query(`LOCK TABLE ${paths.join(', ')} IN SHARE UPDATE EXCLUSIVE MODE`);
  return arePlain(client, schema);
}

async function arePlain(client: pg.ClientBase, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ plain: boolean }>(
    `SELECT count(*) = ${TABLES.length} AND bool_and(
       c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhasrules
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
                        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                          AND (y.typnamespace <> 'pg_catalog'::regnamespace OR y.typtype <> 'b' OR a.attgenerated <> ''))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                        WHERE i.indrelid = c.oid
                          AND (i.indexprs IS NOT NULL OR pg_get_expr(i.indpred, i.indrelid) ~ ${CALL}))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                        WHERE k.conrelid = c.oid
                          AND (k.contype = 'x' OR pg_get_expr(k.conbin, k.conrelid) ~ ${CALL}))
     ) AS plain
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1::text
      WHERE c.relname = ANY ($2::text[])`,
    [schema, [...TABLES]],
  );
  return rows[0]?.plain === true;
}
