import type { CloacinaTenantOptions } from './cloacina.options.js';

/** What {@link PlaceTenant} knows of a server. */
export interface ServerLoad {
  /** Its name in the option `servers`. */
  readonly server: string;
  /** The number of tenants in its database. */
  readonly tenants: number;
  /** The size of its database, in bytes. */
  readonly bytes: number;
}

/**
 * Chooses the server of a new tenant.
 *
 * @param schema - the schema of the new tenant
 * @param servers - all servers, in the order of the option `servers`
 * @returns the name of one of them
 *
 * @example
 * ```ts
 * CloacinaModule.forRoot({
 *   servers,
 *   placeTenant: (schema, loads) => (schema.startsWith('eu_') ? 'eu' : loads.toSorted((a, b) => a.bytes - b.bytes)[0].server),
 * })
 * ```
 */
export type PlaceTenant = (
  schema: string,
  servers: readonly ServerLoad[],
) => string | Promise<string>;

/**
 * Decides whether this process serves a tenant that it found in the database, and with which options.
 *
 * The library calls it for each schema that it does not serve yet: at boot, and after each notification of a new tenant.
 * It asks again for declined schemas, first after 15 s, then at intervals that grow to 10 minutes. If the function throws
 * or returns invalid options, the library logs it once and tries again at the same intervals.
 *
 * @param schema - the schema that was found
 * @param tenant - the tenant's name: the schema, unless the tenant was added under another name
 * @param server - the name of its server; undefined without the option `servers`
 * @returns the tenant's options over those of forRoot; `undefined` if this process does not serve the tenant
 *
 * @example
 * ```ts
 * CloacinaModule.forRoot({
 *   entities: [Invoice],
 *   tenants: { discover: (schema) => (schema.startsWith('tenant_') ? { maxConcurrentTasks: 5 } : undefined) },
 * })
 * ```
 */
export type DiscoverTenant = (
  schema: string,
  tenant: string,
  server?: string,
) => DiscoveredTenantOptions | undefined | Promise<DiscoveredTenantOptions | undefined>;

/** Options that {@link DiscoverTenant} may return: all of a tenant's, except its name, schema and connection. */
export type DiscoveredTenantOptions = Omit<
  CloacinaTenantOptions,
  | 'tenant'
  | 'schema'
  | 'server'
  | 'servers'
  | 'requireAll'
  | 'placeTenant'
  | 'databaseUrl'
  | 'connection'
  | 'controlUrl'
  | 'controlConnection'
  | 'tenants'
  | 'tenantFrom'
  | 'taskInterceptors'
  | 'logFailures'
  | 'telemetry'
>;

/**
 * The request of a caller: the properties that requests of Express and Fastify share. To see more of it, annotate the parameter of
 * your function with the type of your platform.
 *
 * @example
 * ```ts
 * CloacinaModule.forRoot({ tenantFrom: (request: Request & { user?: { tenant: string } }) => request.user?.tenant })
 * ```
 */
export interface TenantRequest {
  /** The headers, by their names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The requested host, without its port. It comes from the caller. */
  readonly hostname?: string;
  /** The requested path with its query. */
  readonly url?: string;
}
