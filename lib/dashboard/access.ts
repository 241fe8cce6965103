import { Inject, Injectable } from '@nestjs/common';
import type { TenantRequest } from '../cloacina.callbacks.js';
import { CloacinaTenants } from '../tenants/hosting/cloacina-tenants.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import { DASHBOARD_OPTIONS, type CheckedDashboardOptions } from './dashboard-options.js';
import { noSuchTenant } from './problem.js';
import type { Sight } from './tenant-moves.js';

/** Decides which tenants the user of a request sees, and who the user is. Each call asks the application again. */
@Injectable()
export class DashboardAccess {
  constructor(
    @Inject(DASHBOARD_OPTIONS) private readonly options: CheckedDashboardOptions,
    @Inject(CloacinaTenants) private readonly served: CloacinaTenants,
  ) {}

  get readOnly(): boolean {
    return this.options.readOnly;
  }

  /** The tenants that the user may see and this process serves, by name. */
  async visible(request: TenantRequest): Promise<Tenant[]> {
    return this.those(await this.names(request));
  }

  /** The same, and whether the user may see all tenants. */
  async sight(request: TenantRequest): Promise<Sight> {
    const names = await this.names(request);
    return { tenants: this.those(names), seesAll: names === 'all' };
  }

  /** @throws DashboardProblem, the same for a tenant that the user may not see and one that does not exist */
  async tenant(request: TenantRequest, name: unknown): Promise<Tenant> {
    return this.among(await this.names(request), name);
  }

  /** Those of `named` that the user may see, or all of them. */
  async chosen(request: TenantRequest, named: readonly string[]): Promise<Tenant[]> {
    if (named.length === 0) return this.visible(request);
    const names = await this.names(request);
    return [...new Set(named)].map((name) => this.among(names, name));
  }

  async actor(request: TenantRequest): Promise<string | undefined> {
    const actor = await this.options.actor?.(request);
    return actor === undefined || actor === null ? undefined : String(actor).slice(0, 500);
  }

  private those(names: ReadonlySet<string> | 'all'): Tenant[] {
    return this.served
      .list()
      .filter(({ name }) => names === 'all' || names.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private among(names: ReadonlySet<string> | 'all', name: unknown): Tenant {
    const isVisible = typeof name === 'string' && (names === 'all' || names.has(name));
    if (!isVisible || !this.served.has(name)) throw noSuchTenant();
    return this.served.get(name);
  }

  private async names(request: TenantRequest): Promise<ReadonlySet<string> | 'all'> {
    if (this.options.tenants === undefined) return 'all';
    const names = await this.options.tenants(request);
    // A mistake of the application must hide, not show.
    if (names === 'all') return 'all';
    return new Set(Array.isArray(names) ? (names as string[]) : []);
  }
}
