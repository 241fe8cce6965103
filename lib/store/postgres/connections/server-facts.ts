import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { readRows } from './own-types.js';

/**
 * What TypeORM asks the server in three statements when a data source is initialized, unless it is there already, by
 * the names that it has in its driver.
 */
const READ_FACTS = `SELECT version() AS version, current_database() AS database, current_schema() AS "searchSchema"`;

type Facts = ReadonlyMap<string, string>;

/** Of each pool, what the server said of itself; it is asked again after a failure. */
const asked = new WeakMap<pg.Pool, Promise<Facts>>();

/**
 * Asks the server what TypeORM wants to know of it, once for all data sources on a pool.
 *
 * @param on - the pool that is asked, default: the same one. It must lead to the same database by the same login
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

/** Initializes a data source on a shared pool. Of a thousand, all but the first ask the server nothing. */
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
    // As TypeORM reads it: the number alone.
    facts.set(name, name === 'version' ? value.replace(/^PostgreSQL ([\d.]+).*$/, '$1') : value);
  }
  return facts;
}
