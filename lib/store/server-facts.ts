import type pg from 'pg';
import type { DataSource } from 'typeorm';

/** What TypeORM asks the server when a data source is initialised, in three statements, unless it is there already. */
const FACTS = ['version', 'database', 'searchSchema'] as const;

type Facts = ReadonlyMap<string, string>;

/** Of each pool, what the first data source on it was told; undefined when it could not be initialised. */
const asked = new WeakMap<pg.Pool, Promise<Facts | undefined>>();

/**
 * Initialises a data source on a shared pool. The first one asks the server who it is, and the others are told: of a
 * thousand, that spares all but one most of the work.
 */
export async function initializeOnPool(pool: pg.Pool, dataSource: DataSource): Promise<void> {
  const before = asked.get(pool);
  if (before === undefined) {
    const first = dataSource.initialize();
    asked.set(
      pool,
      first.then(factsOf, () => {
        asked.delete(pool);
        return undefined;
      }),
    );
    await first;
    return;
  }
  for (const [name, value] of (await before) ?? []) Reflect.set(dataSource.driver, name, value);
  await dataSource.initialize();
}

function factsOf(dataSource: DataSource): Facts {
  const facts = new Map<string, string>();
  for (const name of FACTS) {
    const value: unknown = Reflect.get(dataSource.driver, name);
    if (typeof value === 'string' && value !== '') facts.set(name, value);
  }
  return facts;
}
