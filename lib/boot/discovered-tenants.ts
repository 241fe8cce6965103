import type { DiscoveredTenantOptions } from '../cloacina.callbacks.js';
import { ConfigurationError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { ResolvedTenantOptions } from '../options/index.js';
import type { MarkedSchema } from '../tenants/hosting/tenant-marker.js';
import type { ConfigurationCheck } from './configuration-check.js';

/** Options that discovery determines by itself: from the schema it found, and from the login that found it. */
const NOT_OF_DISCOVER = [
  'tenant',
  'schema',
  'server',
  'databaseUrl',
  'connection',
  'controlUrl',
  'controlConnection',
] as const;

/**
 * The options of a tenant that was found in the database: those that the application's `discover` function returns, over
 * those of forRoot. Undefined if the function declines the tenant.
 *
 * @throws ConfigurationError for invalid options; also whatever the application's function throws
 */
export async function discoveredOptions(
  { schema, tenant, isolation, server }: MarkedSchema & { readonly server?: string },
  boot: ConfigurationCheck,
): Promise<ResolvedTenantOptions | undefined> {
  const own: unknown = await boot.shared.discover?.(schema, tenant, server);
  if (own === undefined) return undefined;
  const owner = `CloacinaModule.forRoot(): tenants.discover(${JSON.stringify(schema)})`;
  if (!isOptions(own)) {
    throw new ConfigurationError([
      `${owner} must return options or undefined, not ${formatValue(own)}.`,
    ]);
  }
  const refused = NOT_OF_DISCOVER.filter((name) => Reflect.get(own, name) !== undefined);
  if (refused.length > 0) {
    throw new ConfigurationError([
      `${owner} may not return ${refused.join(', ')}. Add the tenant with CloacinaTenants.add() instead.`,
    ]);
  }
  // User code must have no more rights here than in the process that created the tenant with a role.
  const marked = isolation === 'role' ? { isolation } : {};
  const at = server === undefined ? {} : { server };
  return boot.admit({ ...own, ...marked, ...at, tenant, schema });
}

function isOptions(value: unknown): value is DiscoveredTenantOptions {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
