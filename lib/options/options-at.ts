import type { CloacinaSharedOptions, CloacinaTenantOptions } from '../cloacina.options.js';
import { connectionConfig } from '../store/postgres/connections/connection-config.js';
import { namesServer } from './connection.js';
import type { ResolvedTenantOptions } from './tenant-options.js';
import type { Resolution } from './shared-options.js';

/** What a tenant's options were resolved from. */
export interface OptionsOrigin {
  readonly options: CloacinaTenantOptions;
  readonly shared: CloacinaSharedOptions;
  readonly resolve: (options: CloacinaTenantOptions) => Resolution<ResolvedTenantOptions>;
}

/** Not a part of the options, which are compared. */
const origins = new WeakMap<ResolvedTenantOptions, OptionsOrigin>();

export function rememberOrigin(resolved: ResolvedTenantOptions, origin: OptionsOrigin): void {
  origins.set(resolved, origin);
}

/** The names of the servers on which the tenant may live. Empty if forRoot names no servers, or the tenant is on none of them. */
export function serversOf(resolved: ResolvedTenantOptions): readonly string[] {
  if (resolved.server === undefined) return [];
  return Object.keys(origins.get(resolved)?.shared.servers ?? {});
}

/**
 * The options of the same tenant on another of the servers. A login of its own stays its login there.
 *
 * @returns undefined if forRoot does not name the server
 */
export function optionsAt(
  resolved: ResolvedTenantOptions,
  server: string,
): ResolvedTenantOptions | undefined {
  if (resolved.server === server) return resolved;
  const origin = origins.get(resolved);
  if (origin === undefined || !serversOf(resolved).includes(server)) return undefined;
  const { options, resolve } = origin;
  const { databaseUrl: _url, controlUrl: _control, connection, ...rest } = options;
  const own = options.databaseUrl !== undefined || namesServer(connection);
  const resolution = resolve({
    ...rest,
    server,
    ...(own ? { connection: loginOf(options) } : connection === undefined ? {} : { connection }),
  });
  return resolution.ok ? resolution.options : undefined;
}

/** The login of a tenant's own URL or connection, without its server. */
function loginOf(options: CloacinaTenantOptions): NonNullable<CloacinaTenantOptions['connection']> {
  const { user, password } = connectionConfig({
    databaseUrl: options.databaseUrl,
    connection: options.connection,
  });
  return {
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password: password as string }),
  };
}
