import type pg from 'pg';
import { DataSource } from 'typeorm';
import {
  CLOACINA_MIGRATIONS_TABLE,
  cloacinaMigrations,
} from '../../store/postgres/migrations/index.js';
import {
  NO_NATIVE_DRIVER,
  sharedPoolDriver,
} from '../../store/postgres/typeorm/shared-pool-driver.js';
import { silentTypeOrmLogger } from '../../store/postgres/typeorm/silent-typeorm-logger.js';

/**
 * An uninitialized data source that runs the library's migrations on one schema. It has no entities, because migrations
 * are plain SQL, and building the metadata would take half of the process's time for a new tenant.
 */
export function createMigrationDataSource(pool: pg.Pool, schema: string): DataSource {
  return new DataSource({
    type: 'postgres',
    schema,
    driver: sharedPoolDriver(pool, { schema }),
    nativeDriver: NO_NATIVE_DRIVER,
    migrations: [...cloacinaMigrations],
    migrationsTableName: CLOACINA_MIGRATIONS_TABLE,
    logger: silentTypeOrmLogger,
    installExtensions: false,
    synchronize: false,
    dropSchema: false,
    migrationsRun: false,
  });
}
