import type { TenantRequest } from '../../cloacina.callbacks.js';
import { ConfigurationError, NoTenantError, UnknownTenantError } from '../../errors/index.js';
import type { CloacinaTenants } from '../hosting/cloacina-tenants.js';
import type { Tenant } from '../hosting/tenant.js';

export interface ResolverParts {
  readonly tenants: Pick<CloacinaTenants, 'get' | 'has'>;
  /** The option `tenantFrom`. */
  readonly tenantFrom?: (request: TenantRequest) => unknown;
  /** Reports at boot that `tenantFrom` is missing, with all other problems. */
  readonly report: (problem: string) => void;
}

const MISSING =
  'is used, but the option tenantFrom of CloacinaModule.forRoot() is missing. Set it to a function that returns the ' +
  "tenant of a request, such as (request) => request.headers['x-tenant'].";

/**
 * Finds the tenant of a request with the option `tenantFrom` of `forRoot`. `@CurrentTenant()`, `@CurrentRunner()` and
 * {@link TenantGuard} use it; inject it where there is neither a controller nor a guard.
 *
 * @example
 * ```ts
 * const { runner } = await this.resolver.resolve(request);
 * ```
 */
export class TenantResolver {
  /** Calls `tenantFrom` once per request, however often the request's tenant is resolved. */
  private readonly resolved = new WeakMap<object, Promise<Tenant>>();

  /** @internal Applications inject it. */
  constructor(private readonly parts: ResolverParts) {}

  /**
   * Returns the tenant of a request.
   *
   * @param request - the request of the platform, Express's or Fastify's
   * @throws NoTenantError if `tenantFrom` returns no name
   * @throws UnknownTenantError if this process doesn't serve the tenant
   * @throws ConfigurationError if the option `tenantFrom` is missing
   */
  resolve(request: TenantRequest): Promise<Tenant> {
    let tenant = this.resolved.get(request);
    if (tenant === undefined) {
      tenant = this.find(request);
      this.resolved.set(request, tenant);
    }
    return tenant;
  }

  /** @internal Called by users of `tenantFrom` when they are created, so that the boot reports a missing option. */
  need(what: string): void {
    if (this.parts.tenantFrom === undefined) this.parts.report(`${what} ${MISSING}`);
  }

  private async find(request: TenantRequest): Promise<Tenant> {
    const { tenantFrom } = this.parts;
    if (tenantFrom === undefined) throw new ConfigurationError([`TenantResolver ${MISSING}`]);
    const name = await tenantFrom(request);
    if (typeof name !== 'string' || name === '') throw new NoTenantError();
    // Without the names of other tenants, because the client may see this error.
    if (!this.parts.tenants.has(name)) throw new UnknownTenantError(name);
    return this.parts.tenants.get(name);
  }
}
