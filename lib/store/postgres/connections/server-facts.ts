import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { readRows } from './own-types.js';

/**
 * The facts that TypeORM reads in three statements when it initializes a data source, unless its driver has them already.
 * The aliases are the property names of TypeORM's driver.
 */
const READ_FACTS = `SELECT version() AS version, current_database() AS database, current_schema() AS "searchSchema"`;

type Facts = ReadonlyMap<string, string>;

/** The facts of each pool's server. They are read again after a failure. */
const asked = new WeakMap<pg.Pool, Promise<Facts>>();

/**
 * Reads the facts that TypeORM needs about the server, once for all data sources on a pool.
 *
 * @param on - the pool to send the query to, with the same login and database. Default: `pool`
 */
export function askServerFacts(pool: pg.Pool, on = pool): Promise<Facts> {
  let facts = asked.get(pool);
  if (facts === undefined) {
    facts = readFacts(on);
    asked.set(pool, facts);
    facts.catch(() => asked.delete(pool));
  }
  return facts;
}

/**
 * Initializes a data source on a shared pool. Only the first one on a pool sends queries to the server. One that was
 * initialized without the server gets its facts.
 */
export async function initializeOnPool(pool: pg.Pool, dataSource: DataSource): Promise<void> {
  for (const [name, value] of await askServerFacts(pool)) {
    Reflect.set(dataSource.driver, name, value);
  }
  if (!dataSource.isInitialized) await dataSource.initialize();
}

/** A version that TypeORM takes as current; {@link initializeOnPool} replaces it. */
const PRESUMED_VERSION = '14.0';

/** The client of a pool that leads nowhere, as far as TypeORM uses one while it initializes. */
class UnconnectedPool {
  connect(callback: (error: undefined, client: object, release: () => void) => void): void {
    callback(undefined, {}, () => undefined);
  }

  on(): this {
    return this;
  }

  end(callback: () => void): void {
    callback();
  }
}

/**
 * Initializes a data source without its server, which cannot be reached. So its repositories can be injected; their queries
 * fail until the server is back. Call {@link initializeOnPool} then.
 */
export async function initializeWithoutServer(
  dataSource: DataSource,
  { database, schema }: { readonly database: string; readonly schema: string },
): Promise<void> {
  const { driver } = dataSource;
  const presumed = { version: PRESUMED_VERSION, database, searchSchema: schema };
  for (const [name, value] of Object.entries(presumed)) Reflect.set(driver, name, value);
  // TypeORM takes a connection of the pool while it initializes, and sends nothing.
  const shared = Reflect.get(driver, 'postgres') as { readonly Pool: new () => object };
  Reflect.set(driver, 'postgres', { Pool: UnconnectedPool });
  try {
    await dataSource.initialize();
  } finally {
    Reflect.set(driver, 'postgres', shared);
  }
  Reflect.set(driver, 'master', new shared.Pool());
}

async function readFacts(pool: pg.Pool): Promise<Facts> {
  const rows = await readRows<Record<string, string | null>>(pool, READ_FACTS);
  const facts = new Map<string, string>();
  for (const [name, value] of Object.entries(rows[0] ?? {})) {
    if (value === null || value === '') continue;
    // TypeORM stores the number alone.
    facts.set(name, name === 'version' ? value.replace(/^PostgreSQL ([\d.]+).*$/, '$1') : value);
  }
  return facts;
}
