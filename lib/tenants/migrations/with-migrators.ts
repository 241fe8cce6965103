import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import { connectionConfig } from '../../store/postgres/connections/connection-config.js';
import { OWN_TYPES } from '../../store/postgres/connections/own-types.js';
import { quietPool } from '../../store/postgres/connections/pools.js';
import { createTenantDataSource } from '../../store/postgres/typeorm/data-source.js';
import { adminSource } from '../admin/admin-source.js';
import { CloacinaMigrator } from './cloacina-migrator.js';
import { MIGRATIONS_AT_ONCE } from './ensure-schemas.js';

/**
 * Migrates schemas outside of an application, such as in a deployment that has none of its code. The migrators know the
 * library's migrations only: those of the application run at its boot, or by {@link CloacinaTenants.migrateAll}. They are
 * passed to `work` in the order of the schemas, and can't be used after it.
 *
 * @param source - the database and the login that migrates. Default: DATABASE_URL of the environment
 * @throws ConfigurationError if the source names no database; SchemaNameError for an invalid name; otherwise what `work` throws
 * @example
 * ```ts
 * await withMigrators({}, ['tenant_acme', 'tenant_globex'], async (migrators) => {
 *   for (const migrator of migrators) await migrator.run();
 * });
 * ```
 */
export async function withMigrators<T>(
  source: ConnectionSource,
  schemas: readonly string[],
  work: (migrators: CloacinaMigrator[]) => Promise<T>,
): Promise<T> {
  const pool = quietPool({
    ...connectionConfig(adminSource(source, process.env, 'withMigrators()')),
    types: OWN_TYPES,
    application_name: 'cloacina-migrate',
    connectionTimeoutMillis: 10_000,
    max: MIGRATIONS_AT_ONCE,
  });
  try {
    return await work(
      schemas.map((schema) => {
        const dataSource = createTenantDataSource({ pool, schema });
        return new CloacinaMigrator({ tenant: schema, schema, pool, dataSource });
      }),
    );
  } finally {
    await pool.end();
  }
}
