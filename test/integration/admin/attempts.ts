import type { Client } from 'pg';

/** Something in a schema, and what somebody may want to do with it, each as a statement. */
interface Attempt {
  readonly what: string;
  readonly sql: string;
}

/** Runs a statement and takes it back; rejects with the server's error. */
export type Try = (sql: string) => Promise<unknown>;

type Verbs = readonly (readonly [
  verb: string,
  statement: (object: string, column: string) => string,
])[];

const ON_DATA: Verbs = [
  ['SELECT', (t) => `SELECT * FROM ${t}`],
  ['SELECT of no column', (t) => `SELECT FROM ${t}`],
  ['COPY', (t) => `COPY (SELECT * FROM ${t}) TO STDOUT`],
  ['INSERT', (t) => `INSERT INTO ${t} DEFAULT VALUES`],
  ['UPDATE', (t, column) => `UPDATE ${t} SET ${column} = DEFAULT WHERE false`],
  ['DELETE', (t) => `DELETE FROM ${t}`],
  ['ALTER', (t) => `ALTER TABLE ${t} RENAME TO mine`],
];
const ON_TABLES: Verbs = [
  ...ON_DATA,
  ['TRUNCATE', (t) => `TRUNCATE ${t}`],
  ['LOCK', (t) => `LOCK TABLE ${t} IN ACCESS SHARE MODE`],
  ['INHERITS', (t) => `CREATE TEMPORARY TABLE mine () INHERITS (${t})`],
  [
    'TRIGGER',
    (t) =>
      `CREATE TRIGGER x AFTER INSERT ON ${t} EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
  ],
  ['RULE', (t) => `CREATE RULE x AS ON INSERT TO ${t} DO ALSO NOTHING`],
  ['ANALYZE of a column', (t, column) => `ALTER TABLE ${t} ALTER ${column} SET STATISTICS 1`],
  ['COMMENT', (t) => `COMMENT ON TABLE ${t} IS 'mine'`],
  ['GRANT', (t) => `GRANT ALL ON ${t} TO PUBLIC`],
  ['DROP', (t) => `DROP TABLE ${t} CASCADE`],
];
const ON_VIEWS: Verbs = [
  ...ON_DATA,
  ['LOCK', (v) => `LOCK TABLE ${v} IN ACCESS SHARE MODE`],
  ['DROP', (v) => `DROP VIEW ${v} CASCADE`],
];
const ON_STORED_VIEWS: Verbs = [
  ...ON_DATA,
  ['REFRESH', (v) => `REFRESH MATERIALIZED VIEW ${v}`],
  ['DROP', (v) => `DROP MATERIALIZED VIEW ${v} CASCADE`],
];
const ON_SEQUENCES: Verbs = [
  ['USAGE', (s) => `SELECT nextval('${s}')`],
  ['UPDATE', (s) => `SELECT setval('${s}', 1)`],
  ['SELECT', (s) => `SELECT last_value FROM ${s}`],
  ['ALTER', (s) => `ALTER SEQUENCE ${s} RESTART`],
  ['DROP', (s) => `DROP SEQUENCE ${s} CASCADE`],
];
const ON_FUNCTIONS: Verbs = [
  ['EXECUTE', (f) => `SELECT ${f}`],
  ['ALTER', (f) => `ALTER FUNCTION ${f} RENAME TO mine`],
  ['DROP', (f) => `DROP FUNCTION ${f} CASCADE`],
];
const ON_TYPES: Verbs = [
  ['USAGE', (t) => `SELECT NULL::${t}`],
  ['ALTER', (t) => `ALTER TYPE ${t} RENAME TO mine`],
  ['DROP', (t) => `DROP TYPE ${t} CASCADE`],
];
const ON_SCHEMAS: Verbs = [
  ['CREATE table', (s) => `CREATE TABLE ${s}.mine (id integer)`],
  [
    'CREATE function',
    (s) => `CREATE FUNCTION ${s}.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
  ],
  ['CREATE type', (s) => `CREATE TYPE ${s}.mine AS ENUM ('a')`],
  ['CREATE sequence', (s) => `CREATE SEQUENCE ${s}.mine`],
  ['OWNER', (s) => `ALTER SCHEMA ${s} OWNER TO CURRENT_USER`],
  ['ALTER', (s) => `ALTER SCHEMA ${s} RENAME TO mine`],
  [
    'default privileges',
    (s) =>
      `ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA ${s} GRANT ALL ON TABLES TO PUBLIC`,
  ],
  ['DROP', (s) => `DROP SCHEMA ${s} CASCADE`],
];

/** Everything there is in the schema, with everything that can be tried on it. */
export async function attemptsOn(owner: Client, schema: string): Promise<Attempt[]> {
  const { rows } = await owner.query<{ kind: keyof typeof BY_KIND; name: string; column: string }>(
    `SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'stored view' ELSE 'table' END AS kind,
            quote_ident(relname) AS name,
            (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1) AS column
       FROM pg_class c WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
     UNION ALL SELECT 'function', quote_ident(proname) || '()', '' FROM pg_proc WHERE pronamespace = $1::text::regnamespace
     UNION ALL SELECT 'type', quote_ident(typname), '' FROM pg_type
      WHERE typnamespace = $1::text::regnamespace AND typtype IN ('e', 'd')`,
    [schema],
  );
  const objects = rows.flatMap(({ kind, name, column }) =>
    BY_KIND[kind].map(([verb, statement]) => ({
      what: `${verb} on ${kind} ${name}`,
      sql: statement(`${schema}.${name}`, column),
    })),
  );
  const onSchema = ON_SCHEMAS.map(([verb, statement]) => ({
    what: `${verb} in schema`,
    sql: statement(schema, ''),
  }));
  return [...onSchema, ...objects];
}

const BY_KIND = {
  table: ON_TABLES,
  view: ON_VIEWS,
  'stored view': ON_STORED_VIEWS,
  sequence: ON_SEQUENCES,
  function: ON_FUNCTIONS,
  type: ON_TYPES,
} as const;

/** What of it went through, or failed for another reason than a lack of rights. */
export async function notDenied(attempts: readonly Attempt[], tryIt: Try): Promise<string[]> {
  const found: string[] = [];
  for (const { what, sql } of attempts) {
    const code = await tryIt(sql).then(
      () => 'done',
      (error: unknown) => Reflect.get(Object(error), 'code') as string,
    );
    // A view that joins takes no writes, whatever the rights are; the server says so first.
    const isDenied = code === '42501' || (code === '55000' && / on view /.test(what));
    if (!isDenied) found.push(code === 'done' ? what : `${what} (${code})`);
  }
  return found;
}

/** Rights that the catalogs say the role has on what is in the schema, column by column where there are columns. */
export async function rightsIn(owner: Client, role: string, schema: string): Promise<string[]> {
  const { rows } = await owner.query<{ found: string }>(
    `WITH r AS (SELECT oid FROM pg_roles WHERE rolname = $1)
     SELECT p || ' on ' || c.relname AS found FROM r, pg_class c,
            unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
      WHERE c.relnamespace = $2::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
        AND has_table_privilege(r.oid, c.oid, p)
     UNION ALL SELECT p || ' on a column of ' || c.relname FROM r, pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
      WHERE c.relnamespace = $2::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
        AND has_any_column_privilege(r.oid, c.oid, p) AND NOT has_table_privilege(r.oid, c.oid, p)
     UNION ALL SELECT p || ' on ' || c.relname FROM r, pg_class c, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) p
      WHERE c.relnamespace = $2::text::regnamespace AND c.relkind = 'S' AND has_sequence_privilege(r.oid, c.oid, p)
     UNION ALL SELECT p || ' on schema' FROM r, unnest(ARRAY['USAGE', 'CREATE', 'USAGE WITH GRANT OPTION']) p
      WHERE has_schema_privilege(r.oid, $2::text::regnamespace, p)
     ORDER BY 1`,
    [role, schema],
  );
  return rows.map(({ found }) => found);
}
