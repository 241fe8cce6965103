import type pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { MigrationError } from '../../errors/index.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { isPooled } from '../../store/postgres/connections/pooler.js';
import { initializeOnPool } from '../../store/postgres/connections/server-facts.js';
import { NO_NATIVE_DRIVER } from '../../store/postgres/typeorm/shared-pool-driver.js';
import { explainFailure } from './migration-failure.js';
import type { MigrationRun } from './migration-run.js';
import { ObservedMigrationExecutor } from './migration-set.js';

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/**
 * Applies or reverts one migration that wants no transaction, such as one with CREATE INDEX CONCURRENTLY, on a
 * connection of its own. The lock is that of the transaction on `locked`, which idles until then: it has no snapshot, so
 * an index that is built concurrently doesn't wait for it. Processes that wait for the lock have one, and give it up
 * every few seconds.
 *
 * The connection is closed afterwards: its settings are the session's, and a migration may leave anything on it.
 *
 * @returns the names of what was applied
 */
export async function outsideTransaction(
  run: MigrationRun,
  locked: pg.ClientBase,
  name: string,
  work: (executor: ObservedMigrationExecutor) => Promise<unknown>,
): Promise<readonly string[]> {
  // Nothing is said on it for as long as the migration takes.
  await locked.query('SET LOCAL idle_in_transaction_session_timeout TO 0');
  const [path] = await readRows<{ path: string }>(
    locked,
    `SELECT current_setting('search_path') AS path`,
  );
  const began = performance.now();
  const client = await run.pool.connect();
  client.on('error', () => undefined);
  try {
    if (await isPooled(client)) throw behindPooler(run.schema, name);
    await client.query(
      `SELECT set_config('search_path', $1, false), set_config('statement_timeout', '0', false),
              set_config('lock_timeout', '0', false)`,
      [path?.path],
    );
    return await withExecutor(run, client, name, work);
  } catch (error) {
    // As one of the library's, which is not repeated: what was done so far is not undone.
    throw await explainFailure(error, { ...run, began, migration: name, advice: PARTLY_DONE });
  } finally {
    client.release(true);
  }
}

export const PARTLY_DONE =
  'It ran outside a transaction, so what it did before it failed is there, an invalid index for example; what came ' +
  'before it is applied. Drop what it left, put the cause right and boot again.';

async function withExecutor(
  run: MigrationRun,
  client: pg.PoolClient,
  name: string,
  work: (executor: ObservedMigrationExecutor) => Promise<unknown>,
): Promise<readonly string[]> {
  // Under the login's own rights, as in the transaction, and on this connection alone.
  const dataSource = new DataSource({
    ...(run.dataSource.options as PostgresOptions),
    schema: run.schema,
    driver: driverOf(client),
    nativeDriver: NO_NATIVE_DRIVER,
    migrationsTableName: run.set.table,
  });
  await initializeOnPool(run.pool, dataSource);
  const queryRunner = dataSource.createQueryRunner();
  try {
    const executor = new ObservedMigrationExecutor(dataSource, queryRunner);
    executor.transaction = 'none';
    executor.only = new Set([name]);
    await work(executor);
    return executor.applied;
  } finally {
    await queryRunner.release();
    await dataSource.destroy();
  }
}

type ConnectCallback = (error: unknown, client: pg.PoolClient, release: () => void) => void;

/** What TypeORM takes for the `pg` module, with one connection that is another's to give back. */
function driverOf(client: pg.PoolClient): object {
  return {
    Pool: class OneConnection {
      connect(callback: ConnectCallback): void {
        callback(undefined, client, () => undefined);
      }

      on(): this {
        return this;
      }

      end(callback: () => void): void {
        callback();
      }
    },
  };
}

function behindPooler(schema: string, migration: string): MigrationError {
  return new MigrationError({
    schema,
    migration,
    advice:
      'It says `transaction = false`, which needs a session of its own, and the connection leads to a pooler. Run it ' +
      'with a databaseUrl that leads to the server itself.',
  });
}
