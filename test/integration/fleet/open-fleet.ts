import { Logger } from '@nestjs/common';
import pg from 'pg';
import type { MigrationInterface } from 'typeorm';
import { createTenantDataSource } from '../../../lib/store/postgres/typeorm/data-source.js';
import { CloacinaMigrator } from '../../../lib/tenants/migrations/cloacina-migrator.js';

// What is applied to hundreds of schemas would drown the report of the tests.
Logger.overrideLogger(false);

export interface Fleet {
  readonly pool: pg.Pool;
  readonly migrators: readonly CloacinaMigrator[];
  close(): Promise<void>;
}

export interface FleetOptions {
  readonly url: string;
  readonly schemas: readonly string[];
  readonly poolSize?: number;
  readonly migrations?: readonly (new () => MigrationInterface)[];
  readonly initialize?: () => Promise<void>;
}

/** Many tenants on one pool, none of them connected so far. */
export function openFleet(options: FleetOptions): Fleet {
  const { url, schemas, poolSize = 6, migrations = [], initialize } = options;
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'fleet',
    connectionTimeoutMillis: 10_000,
  });
  const dataSources = schemas.map((schema) => createTenantDataSource({ pool, schema, migrations }));
  return {
    pool,
    migrators: dataSources.map((dataSource, i) => {
      const schema = schemas[i] ?? '';
      const lazily = initialize === undefined ? {} : { initialize };
      return new CloacinaMigrator({ tenant: `of ${schema}`, schema, pool, dataSource, ...lazily });
    }),
    close: async () => {
      for (const dataSource of dataSources) {
        if (dataSource.isInitialized) await dataSource.destroy();
      }
      await pool.end();
    },
  };
}

export function schemaNames(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}_${i}`);
}
