import { UnknownTenantError } from '../../errors/index.js';
import {
  databaseKey,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import type { TenantManager } from '../hosting/tenant-manager.js';
import { adminSource } from './admin-source.js';
import type { CloacinaAdminOptions } from './cloacina-admin.js';

/** Makes this process stop serving a schema of the admin's database before the admin drops it. */
export function releaseFrom(
  host: Pick<TenantManager, 'list' | 'removeTenant'>,
  admin: ConnectionSource,
): NonNullable<CloacinaAdminOptions['release']> {
  return async (schema, drainMs) => {
    const database = databaseKey(adminSource(admin));
    const served = host
      .list()
      .filter(({ options }) => options.schema === schema && databaseKey(options) === database);
    for (const { options } of served) {
      await host.removeTenant(options.tenant, drainMs).catch((error: unknown) => {
        // Another caller has removed the tenant already.
        if (!(error instanceof UnknownTenantError)) throw error;
      });
    }
  };
}
