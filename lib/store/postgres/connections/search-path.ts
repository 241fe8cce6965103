import { Logger } from '@nestjs/common';
import pg from 'pg';
import { queryWithTimeout } from './destroy-socket.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../migrations/index.js';

/** Whose user code it is that a `search_path` is for. */
export interface PathOwner {
  /** The tenant's schema. */
  readonly schema: string;
  /** The schemas after it. Default: those of the login's own `search_path`, see {@link pathOf}. */
  readonly searchPath?: readonly string[] | undefined;
}

/** What is the same for all connections of a pool. */
export interface PoolFacts {
  /** A pooler answers for the server, so a setting of the session would be left to others. */
  readonly isPooled: boolean;
  /** The schemas of the login's own `search_path` that tenants see behind their own, in order. */
  readonly shared: readonly string[];
  /** By `performance.now()`. */
  readonly askedAt: number;
}

/** Extensions and schemas come and go while the process runs; a connection asks again when this time is over. */
const FACTS_MAX_AGE_MS = 60_000;

/** In a transaction of its own, the path is the login's, whatever this session, or the pooler's, has set. */
const READ_FACTS = `SET LOCAL search_path TO DEFAULT;
SELECT pg_catalog.pg_backend_pid(), (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
    n.nspname,
    EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extnamespace = n.oid),
    EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname = '${CLOACINA_MIGRATIONS_TABLE}'),
    EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'CREATE')
  ) ORDER BY p.no)
  FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS p(name, no)
  JOIN pg_catalog.pg_namespace n ON n.nspname = p.name
)`;

type SchemaRow = readonly [
  name: string,
  hasExtension: boolean,
  isTenant: boolean,
  isOpenToAll: boolean,
];

const known = new WeakMap<pg.Pool, PoolFacts>();
/** What was said once of a pool. */
const warned = new WeakMap<pg.Pool, Set<string>>();

/** What is known of the pool, unless it is too old. */
export function knownFacts(pool: pg.Pool): PoolFacts | undefined {
  const facts = known.get(pool);
  return facts !== undefined && performance.now() - facts.askedAt < FACTS_MAX_AGE_MS
    ? facts
    : undefined;
}

/** An extension or a schema was created or dropped: it is asked anew. */
export function forgetFacts(pool: pg.Pool): void {
  known.delete(pool);
}

/** The schema is a tenant now, which the others must not see any more. */
export function isTenantNow(pool: pg.Pool, schema: string): void {
  if (known.get(pool)?.shared.includes(schema) === true) known.delete(pool);
}

/** Asks the server, on any of the pool's connections. */
export function askFacts(
  pool: pg.Pool,
  client: pg.ClientBase,
  finish: (error: Error | undefined, facts: PoolFacts | undefined) => void,
): void {
  const query = {
    text: READ_FACTS,
    rowMode: 'array',
    types: { getTypeParser: () => (value: string) => value },
  };
  queryWithTimeout(client, query, (error, results) => {
    if (error !== undefined) {
      finish(error, undefined);
      return;
    }
    const [row] = rowsOfLast(results);
    const schemas = JSON.parse(row?.[1] ?? '[]') as SchemaRow[];
    const facts: PoolFacts = {
      isPooled: Number(row?.[0]) !== Reflect.get(client, 'processID'),
      shared: schemas.filter(isShared).map(([name]) => name),
      askedAt: performance.now(),
    };
    known.set(pool, facts);
    warnOfLeftOut(pool, schemas);
    finish(undefined, facts);
  });
}

function rowsOfLast(results: unknown): (string | null)[][] {
  const last: unknown = Array.isArray(results) ? results.at(-1) : results;
  return (last as pg.QueryArrayResult<(string | null)[]>).rows;
}

/**
 * Not other tenants' schemas: a table that a tenant lacks must not be another's. Not those in which every role may
 * create what the others would take for their own. And not `public` where it holds no extension: it stands in every
 * login's path by default, and what an application has there was not put there for its tenants.
 */
function isShared([name, hasExtension, isTenant, isOpenToAll]: SchemaRow): boolean {
  return (
    !name.startsWith('pg_') && !isTenant && !isOpenToAll && (name !== 'public' || hasExtension)
  );
}

function warnOfLeftOut(pool: pg.Pool, schemas: readonly SchemaRow[]): void {
  const said = warned.get(pool) ?? new Set();
  warned.set(pool, said);
  for (const schema of schemas) {
    const [name, hasExtension, isTenant] = schema;
    if (!hasExtension || isShared(schema) || said.has(name)) continue;
    said.add(name);
    new Logger('Cloacina').warn(
      `Schema "${name}" holds extensions, and is not in the search_path of the tenants in other schemas: ` +
        (isTenant
          ? 'it is a tenant itself. Move the extensions to a schema of their own (ALTER EXTENSION … SET SCHEMA), '
          : 'every role may create objects in it. REVOKE CREATE ON SCHEMA … FROM PUBLIC, ') +
        `or set the option searchPath: ['${name}'].`,
    );
  }
}

/**
 * The value of `search_path` for a tenant's user code, quoted: the tenant's schema, then what the option `searchPath`
 * says or the pool's login has.
 *
 * PostgreSQL looks into `pg_catalog` before all of them, so nothing in them stands for a built-in function. Temporary
 * tables come first, as ever; behind a pooler they come last, because they may be those of another tenant.
 */
export function pathOf({ schema, searchPath }: PathOwner, facts: PoolFacts): string {
  const behind = searchPath ?? facts.shared;
  const path = [schema, ...behind.filter((name) => name !== schema)].map((name) =>
    pg.escapeIdentifier(name),
  );
  if (facts.isPooled) path.push('pg_temp');
  return path.join(', ');
}
