import type pg from 'pg';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { foreignDependents } from '../admin/foreign-objects.js';
import { IS_STAMPED } from './moved-tables.js';

/** Maximum size of a table without a primary key, in bytes. It is copied while the tenant stands still. */
const MAX_KEYLESS_BYTES = 64 * 1024 * 1024;

/** What a move needs to know about a server. */
interface ServerTraits {
  readonly version: number;
  readonly encoding: string;
  readonly collation: string;
  readonly ctype: string;
}

const IN_SCHEMA = '(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)';

/** What the two databases do not have in common, as sentences. */
export async function compareServers(
  source: pg.ClientBase,
  target: pg.ClientBase,
): Promise<{ readonly problems: string[]; readonly sameVersion: boolean }> {
  const [here, there] = await Promise.all([readTraits(source), readTraits(target)]);
  const problems: string[] = [];
  if (there.version < here.version) {
    problems.push(
      `The new server has PostgreSQL ${there.version}, and the old one ${here.version}. Upgrade the new server.`,
    );
  }
  for (const trait of ['encoding', 'collation', 'ctype'] as const) {
    if (here[trait] === there[trait]) continue;
    problems.push(
      `The databases differ in their ${trait}: ${here[trait]} on the old server, ${there[trait]} on the new one.`,
    );
  }
  return { problems, sameVersion: here.version === there.version };
}

async function readTraits(client: pg.ClientBase): Promise<ServerTraits> {
  const [traits] = await readRows<ServerTraits>(
    client,
    `SELECT current_setting('server_version_num')::integer / 10000 AS version,
            pg_encoding_to_char(encoding)::text AS encoding, datcollate::text AS collation, datctype::text AS ctype
       FROM pg_catalog.pg_database WHERE datname = current_database()`,
  );
  if (traits === undefined) throw new Error('The server returned no row.');
  return traits;
}

/**
 * The right that the role lacks on the target, as a sentence: changes are compared in temporary tables.
 *
 * @param role - the role of the mover's connections. Undefined for the client's own
 */
export async function findMissingRight(
  target: pg.ClientBase,
  role: string | undefined,
): Promise<string[]> {
  const rows = await readRows<{ database: string; role: string }>(
    target,
    `SELECT quote_ident(current_database()) AS database, quote_ident(r.name) AS role
       FROM (SELECT coalesce($1::name, current_user) AS name) r
      WHERE NOT has_database_privilege(r.name, current_database(), 'TEMPORARY')`,
    [role ?? null],
  );
  return rows.map(
    (lacks) =>
      `On the new server, the role ${lacks.role} may not make temporary tables. Run there, until the move is made: ` +
      `GRANT TEMPORARY ON DATABASE ${lacks.database} TO PUBLIC`,
  );
}

/** The parts of a schema that can't be moved, whatever has made them, as sentences. */
export async function findObstacles(client: pg.ClientBase, schema: string): Promise<string[]> {
  const rows = await readRows<{ problem: string }>(client, OBSTACLES, [
    schema,
    String(MAX_KEYLESS_BYTES),
  ]);
  const dependents = await foreignDependents(client as pg.Client, schema);
  return [
    ...rows.map(({ problem }) => problem),
    ...dependents.map(
      (name) =>
        `An object outside of the schema depends on it: ${name}. Drop or change that object.`,
    ),
  ];
}

const OBSTACLES = `
SELECT format('The %s %I can''t be copied. Replace it with a plain table.',
              CASE c.relkind WHEN 'p' THEN 'partitioned table' ELSE 'foreign table' END, c.relname) AS problem
  FROM pg_catalog.pg_class c WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind IN ('p', 'f')
UNION ALL
SELECT format('The table %I inherits from another one, or another one from it.', c.relname)
  FROM pg_catalog.pg_class c WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind = 'r'
   AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
UNION ALL
SELECT format('The table %I belongs to the role %I, and the role %I can''t move it. Run on the old server: ALTER TABLE %I.%I OWNER TO %I',
              c.relname, pg_get_userbyid(c.relowner), current_user, $1::text, c.relname, current_user)
  FROM pg_catalog.pg_class c WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind = 'r' AND NOT pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT format('The column %I.%I has the type %s. It may name a large object, or an object of this server only.',
              c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
   AND (t.typname IN ('oid', '_oid', 'lo', '_lo') OR t.typbasetype = 'pg_catalog.oid'::regtype)
UNION ALL
SELECT format('The column %I.%I has the type %s, and may name a position of this server only. Change its type to text, or drop it.',
              c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND t.typname IN ('xid', 'xid8', 'pg_snapshot', 'txid_snapshot', 'pg_lsn') AND NOT (${IS_STAMPED})
UNION ALL
SELECT format('The foreign key %I of the table %I leads out of the schema, to %s.', k.conname, k.conrelid::regclass, k.confrelid::regclass)
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
 WHERE k.connamespace = ${IN_SCHEMA} AND k.contype = 'f' AND r.relnamespace <> k.connamespace
UNION ALL
SELECT format('The rule %I of the table %I would change what is copied.', w.rulename, c.relname)
  FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
 WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind = 'r'
UNION ALL
SELECT format('The table %I has no primary key and more than %s MiB. It would be copied while the tenant stands still.', c.relname,
              $2::bigint / 1048576)
  FROM pg_catalog.pg_class c
 WHERE c.relnamespace = ${IN_SCHEMA} AND c.relkind = 'r' AND pg_table_size(c.oid) > $2::bigint
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`;

/** The migrations in the library's history. */
export async function readLibraryHistory(
  client: pg.ClientBase,
  quotedSchema: string,
): Promise<string[]> {
  const rows = await readRows<{ name: string }>(
    client,
    `SELECT name FROM ONLY ${quotedSchema}.${CLOACINA_MIGRATIONS_TABLE} ORDER BY id`,
  );
  return rows.map(({ name }) => name);
}
