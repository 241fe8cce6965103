import pg from 'pg';
import { NotAllowedError } from '../../errors/index.js';
import { sendInHalves } from '../../runtime/in-halves.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { isTenantLogin } from '../admin/role-purpose.js';

/** Runs queries: a pool, or the connection of a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>;

/** The history tables to read in a schema. */
export interface HistoryRequest {
  readonly schema: string;
  readonly tables: readonly string[];
}

/** The migrations that were applied to a schema. */
export interface SchemaHistory {
  readonly schemaExists: boolean;
  /**
   * The tenant's own login, created by createTenant(), if it owns the schema or a history table in it and this session has
   * another login. The histories are then not read, because a query runs code that the tables' owner wrote.
   */
  readonly ownedBy?: string | undefined;
  /** Applied migrations by history table, in the order in which they were applied. Missing tables have no entry. */
  readonly applied: ReadonlyMap<string, readonly string[]>;
}

/** Maximum number of histories per statement, because a UNION ALL of thousands takes long to plan. */
const CHUNK = 200;

/**
 * Reads the histories of any number of schemas. One statement finds the existing tables, and one more per chunk reads
 * their rows. It takes no explicit lock, and missing schemas and tables are not errors.
 */
export async function readHistories(
  queryable: Queryable,
  requests: readonly HistoryRequest[],
): Promise<SchemaHistory[]> {
  const existing = await findTables(queryable, requests);
  const found = requests.flatMap(({ schema, tables }) =>
    [...new Set(tables)]
      .filter((table) => existing.get(schema)?.tables.has(table) === true)
      .filter(() => existing.get(schema)?.ownedBy === undefined)
      .map((table) => ({ schema, table })),
  );
  const applied = new Map<string, Map<string, string[]>>();
  for (let start = 0; start < found.length; start += CHUNK) {
    await readTables(queryable, found.slice(start, start + CHUNK), applied);
  }
  return requests.map(({ schema }) => ({
    schemaExists: existing.has(schema),
    ownedBy: existing.get(schema)?.ownedBy,
    applied: applied.get(schema) ?? new Map<string, string[]>(),
  }));
}

/**
 * Rejects a schema that belongs to another login which is a tenant's own: triggers, views, casts and policies of the tenant
 * would run with the rights of this session's login.
 *
 * @throws NotAllowedError
 */
export function assertOwnLogin(schema: string, { ownedBy }: SchemaHistory): void {
  if (ownedBy === undefined) return;
  throw new NotAllowedError(
    `Using the schema ${JSON.stringify(schema)} with this login`,
    `it belongs to a tenant with a login of its own, ${JSON.stringify(ownedBy)}, whose code must not run with other rights`,
    'Open the tenant with the databaseUrl that createTenant() returned.',
  );
}

interface FoundSchema {
  readonly tables: Set<string>;
  ownedBy?: string | undefined;
}

/**
 * {@link readHistories} for schemas of which some may be broken or not accessible. For these it returns undefined. It
 * finds them by halving the requests, so one of a thousand costs only a few more statements.
 *
 * Throws only if the database cannot be reached.
 */
export function readReadableHistories(
  queryable: Queryable,
  requests: readonly HistoryRequest[],
): Promise<(SchemaHistory | undefined)[]> {
  return sendInHalves(requests, (part) => readHistories(queryable, part), isAway);
}

async function findTables(
  queryable: Queryable,
  requests: readonly HistoryRequest[],
): Promise<Map<string, FoundSchema>> {
  const rows = await readRows<{
    schema: string;
    table: string | null;
    owned_by: string | null;
  }>(
    queryable,
    `SELECT n.nspname AS schema, c.relname AS table,
            (SELECT min(r.rolname::text) FROM pg_catalog.pg_roles r
              WHERE r.oid IN (n.nspowner, c.relowner) AND r.rolname <> current_user
                AND ${isTenantLogin('r.oid')}) AS owned_by
       FROM pg_catalog.pg_namespace n
       LEFT JOIN pg_catalog.pg_class c
         ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND c.relname = ANY ($2::text[])
      WHERE n.nspname = ANY ($1::text[])`,
    [requests.map(({ schema }) => schema), [...new Set(requests.flatMap(({ tables }) => tables))]],
  );
  const existing = new Map<string, FoundSchema>();
  for (const { schema, table, owned_by: ownedBy } of rows) {
    const found: FoundSchema = existing.get(schema) ?? { tables: new Set() };
    if (table !== null) found.tables.add(table);
    if (ownedBy !== null) found.ownedBy = ownedBy;
    existing.set(schema, found);
  }
  return existing;
}

async function readTables(
  queryable: Queryable,
  tables: readonly { schema: string; table: string }[],
  applied: Map<string, Map<string, string[]>>,
): Promise<void> {
  const rows = await readRows<{ no: number; names: string[] }>(
    queryable,
    tables
      .map(({ schema, table }, no) => {
        const path = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
        return `SELECT ${no} AS no, coalesce(array_agg(name::text ORDER BY id), '{}') AS names FROM ${path}`;
      })
      .join(' UNION ALL '),
  );
  for (const { no, names } of rows) {
    const place = tables[no];
    if (place === undefined) continue;
    const ofSchema = applied.get(place.schema) ?? new Map<string, string[]>();
    applied.set(place.schema, ofSchema.set(place.table, names));
  }
}
