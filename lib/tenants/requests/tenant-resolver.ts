import type { TenantRequest } from '../../cloacina.options.js';
import { ConfigurationError, NoTenantError, UnknownTenantError } from '../../errors/index.js';
import type { CloacinaTenants } from '../hosting/cloacina-tenants.js';
import type { Tenant } from '../hosting/tenant.js';

export interface ResolverParts {
  readonly tenants: Pick<CloacinaTenants, 'get' | 'has'>;
  /** The option `tenantFrom`. */
  readonly tenantFrom?: (request: TenantRequest) => unknown;
  /** Says at boot, with all else that is wrong, that it is missing. */
  readonly report: (problem: string) => void;
}

const MISSING =
  'is used, but nothing says which tenant a request is for. Give CloacinaModule.forRoot() the option tenantFrom, such ' +
  "as (request) => request.headers['x-tenant'].";

/**
 * Finds the tenant that a request is for, as the option `tenantFrom` of `forRoot` says. `@CurrentTenant()`,
 * `@CurrentRunner()` and {@link TenantGuard} use it; inject it where there is neither a controller nor a guard.
 *
 * @example
 * ```ts
 * const { runner } = await this.resolver.resolve(request);
 * ```
 */
export class TenantResolver {
  /** A request is asked once, however often its tenant is. */
  private readonly resolved = new WeakMap<object, Promise<Tenant>>();

  /** @internal Applications get it by injection. */
  constructor(private readonly parts: ResolverParts) {}

  /**
   * @param request - what the platform calls a request, Express's or Fastify's
   * @throws NoTenantError when `tenantFrom` finds none in the request
   * @throws UnknownTenantError when this process doesn't serve it
   * @throws ConfigurationError when there is no `tenantFrom`
   */
  resolve(request: TenantRequest): Promise<Tenant> {
    let tenant = this.resolved.get(request);
    if (tenant === undefined) {
      tenant = this.find(request);
      this.resolved.set(request, tenant);
    }
    return tenant;
  }

  /** @internal Who needs `tenantFrom` says so when it is made, so that its lack is found at boot. */
  need(what: string): void {
    if (this.parts.tenantFrom === undefined) this.parts.report(`${what} ${MISSING}`);
  }

  private async find(request: TenantRequest): Promise<Tenant> {
    const { tenantFrom } = this.parts;
    if (tenantFrom === undefined) throw new ConfigurationError([`TenantResolver ${MISSING}`]);
    const name = await tenantFrom(request);
    if (typeof name !== 'string' || name === '') throw new NoTenantError();
    // What is told a client names no other tenant.
    if (!this.parts.tenants.has(name)) throw new UnknownTenantError(name);
    return this.parts.tenants.get(name);
  }
}
