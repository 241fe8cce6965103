import { Logger } from '@nestjs/common';
import pg from 'pg';
import type { DataSource, MigrationInterface } from 'typeorm';
import { createTenantDataSource } from '../../../lib/store/postgres/typeorm/data-source.js';
import {
  CloacinaMigrator,
  type MigratorSettings,
} from '../../../lib/tenants/migrations/cloacina-migrator.js';
import { databaseUrl } from '../../support/postgres.js';

// What is applied to hundreds of schemas would drown the report of the tests.
Logger.overrideLogger(false);

export interface OpenTenant {
  readonly pool: pg.Pool;
  readonly dataSource: DataSource;
  readonly migrator: CloacinaMigrator;
  close(): Promise<void>;
}

export interface OpenTenantOptions extends Partial<
  Pick<MigratorSettings, 'lockTimeoutMs' | 'giveUpAfterMs'>
> {
  readonly url?: string;
  readonly migrations?: readonly (new () => MigrationInterface)[];
}

/** A tenant with a pool of its own, as far as its migrator needs one. */
export async function openTenant(
  schema: string,
  { url = databaseUrl(), migrations = [], ...limits }: OpenTenantOptions = {},
): Promise<OpenTenant> {
  const pool = new pg.Pool({ connectionString: url, max: 4, application_name: `tenant ${schema}` });
  const dataSource = await createTenantDataSource({ pool, schema, migrations }).initialize();
  const migrator = new CloacinaMigrator({ tenant: schema, schema, pool, dataSource, ...limits });
  return {
    pool,
    dataSource,
    migrator,
    close: async () => {
      await dataSource.destroy();
      await pool.end();
    },
  };
}

/** Opens a tenant for as long as `use` takes. */
export async function withTenant<T>(
  schema: string,
  options: OpenTenantOptions,
  use: (tenant: OpenTenant) => Promise<T>,
): Promise<T> {
  const tenant = await openTenant(schema, options);
  try {
    return await use(tenant);
  } finally {
    await tenant.close();
  }
}
