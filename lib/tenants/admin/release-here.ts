import { UnknownTenantError } from '../../errors/index.js';
import {
  databaseKey,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import type { TenantManager } from '../hosting/tenant-manager.js';
import { adminSource } from './admin-source.js';
import type { CloacinaAdminOptions } from './admin-options.js';

/** Makes this process stop serving a schema of the admin's database before the admin drops it. */
export function releaseFrom(
  host: Pick<TenantManager, 'list' | 'removeTenant'>,
  admin: ConnectionSource,
): NonNullable<CloacinaAdminOptions['release']> {
  return async (schema, drainMs, server) => {
    const isThere = placed(admin, server);
    const served = host
      .list()
      .filter(({ options }) => options.schema === schema && isThere(options));
    for (const { options } of served) {
      await host.removeTenant(options.tenant, drainMs).catch((error: unknown) => {
        // Another caller has removed the tenant already.
        if (!(error instanceof UnknownTenantError)) throw error;
      });
    }
  };
}

function placed(
  admin: ConnectionSource,
  server: string | undefined,
): (options: ConnectionSource & { readonly server?: string }) => boolean {
  if (server !== undefined) return (options) => options.server === server;
  const database = databaseKey(adminSource(admin));
  return (options) => databaseKey(options) === database;
}
