import { Logger } from '@nestjs/common';
import pg from 'pg';
import { queryWithTimeout } from './destroy-socket.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../migrations/index.js';

/** The tenant for whose user code a `search_path` is. */
export interface PathOwner {
  /** The tenant's schema. */
  readonly schema: string;
  /** The schemas after the tenant's own. Default: those of the login's `search_path`, see {@link pathOf}. */
  readonly searchPath?: readonly string[] | undefined;
}

/** Facts that are the same for all connections of a pool. */
export interface PoolFacts {
  /** Whether a pooler answers in place of the server, so a session setting could reach other clients. */
  readonly isPooled: boolean;
  /** The schemas of the login's `search_path` that tenants see behind their own, in order. */
  readonly shared: readonly string[];
  /** Time of reading, by `performance.now()`. */
  readonly askedAt: number;
}

/** How long facts stay valid, in milliseconds. Extensions and schemas change while the process runs. */
const FACTS_MAX_AGE_MS = 60_000;

/** Runs as a transaction of its own, so that the path is the login's, whatever the session or the pooler has set. */
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
/** Schemas that the log has a warning about, by pool. */
const warned = new WeakMap<pg.Pool, Set<string>>();

/** The facts about the pool, unless they are too old. */
export function knownFacts(pool: pg.Pool): PoolFacts | undefined {
  const facts = known.get(pool);
  return facts !== undefined && performance.now() - facts.askedAt < FACTS_MAX_AGE_MS
    ? facts
    : undefined;
}

/** Call it after an extension or a schema was created or dropped. */
export function forgetFacts(pool: pg.Pool): void {
  known.delete(pool);
}

/** Notes that the schema is now a tenant's, so it must no longer be in the path of other tenants. */
export function isTenantNow(pool: pg.Pool, schema: string): void {
  if (known.get(pool)?.shared.includes(schema) === true) known.delete(pool);
}

/** Reads the facts from the server, on any connection of the pool. */
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
 * Whether tenants see a schema of the login's path behind their own. Three kinds of schemas are left out:
 * - those of other tenants, because a table that a tenant lacks must not resolve to another tenant's;
 * - those in which every role may create objects that others would mistake for their own;
 * - `public` without extensions: it is in every login's path by default, and its objects are not meant for tenants.
 */
function isShared([name, hasExtension, isTenant, isOpenToAll]: SchemaRow): boolean {
  return (
    !name.startsWith('pg_') && !isTenant && !isOpenToAll && (name !== 'public' || hasExtension)
  );
}

function warnOfLeftOut(pool: pg.Pool, schemas: readonly SchemaRow[]): void {
  const names = warned.get(pool) ?? new Set();
  warned.set(pool, names);
  for (const schema of schemas) {
    const [name, hasExtension, isTenant] = schema;
    if (!hasExtension || isShared(schema) || names.has(name)) continue;
    names.add(name);
    new Logger('Cloacina').warn(
      `Schema "${name}" contains extensions, but is not in the search_path of tenants in other schemas: ` +
        (isTenant
          ? 'it belongs to a tenant. Move the extensions to a schema of their own (ALTER EXTENSION … SET SCHEMA), '
          : 'every role may create objects in it. REVOKE CREATE ON SCHEMA … FROM PUBLIC, ') +
        `or set the option searchPath: ['${name}'].`,
    );
  }
}

/**
 * The quoted value of `search_path` for a tenant's user code: the tenant's schema, then the option `searchPath` or the
 * shared schemas of the login's path.
 *
 * PostgreSQL searches `pg_catalog` first, so no object in these schemas replaces a built-in function. Temporary tables come
 * first as usual. Behind a pooler they come last, because they may belong to another tenant.
 */
export function pathOf({ schema, searchPath }: PathOwner, facts: PoolFacts): string {
  const behind = searchPath ?? facts.shared;
  const path = [schema, ...behind.filter((name) => name !== schema)].map((name) =>
    pg.escapeIdentifier(name),
  );
  if (facts.isPooled) path.push('pg_temp');
  return path.join(', ');
}
