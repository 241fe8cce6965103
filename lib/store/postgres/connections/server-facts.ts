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

/** Initializes a data source on a shared pool. Only the first one on a pool sends queries to the server. */
export async function initializeOnPool(pool: pg.Pool, dataSource: DataSource): Promise<void> {
  for (const [name, value] of await askServerFacts(pool)) {
    Reflect.set(dataSource.driver, name, value);
  }
  await dataSource.initialize();
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
