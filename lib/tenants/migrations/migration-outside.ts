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
 * Applies or reverts one migration that must run outside of a transaction, such as one with CREATE INDEX CONCURRENTLY, on a
 * connection of its own.
 *
 * The transaction on `locked` keeps the schema's lock and idles. It has no snapshot, so a concurrent index build
 * does not wait for it. Processes that wait for the lock do have a snapshot, but they give up their wait every few
 * seconds.
 *
 * The connection is closed afterwards, because the settings are those of its session and the migration may have left
 * anything there.
 *
 * @returns the names of the applied migrations
 */
export async function outsideTransaction(
  run: MigrationRun,
  locked: pg.ClientBase,
  name: string,
  work: (executor: ObservedMigrationExecutor) => Promise<unknown>,
): Promise<readonly string[]> {
  // This connection idles for as long as the migration takes.
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
    // Turned into an error of the library here, because these are not retried: completed parts are not rolled back.
    throw await explainFailure(error, { ...run, began, migration: name, advice: PARTLY_DONE });
  } finally {
    client.release(true);
  }
}

export const PARTLY_DONE =
  'It ran outside of a transaction, so its completed parts remain, an invalid index for example; earlier migrations ' +
  'remain applied. Drop what it left, fix the cause and boot again.';

async function withExecutor(
  run: MigrationRun,
  client: pg.PoolClient,
  name: string,
  work: (executor: ObservedMigrationExecutor) => Promise<unknown>,
): Promise<readonly string[]> {
  // With the login's own rights, as in the transaction, but on this connection only.
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

/** A replacement for the `pg` module that TypeORM loads. Its pool has one connection, which the caller releases. */
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
      'It has `transaction = false`, which requires a session of its own, but the connection leads to a pooler. Run it ' +
      'with a databaseUrl that leads to the server directly.',
  });
}
