import type { CloacinaTenantOptions } from '../../cloacina.options.js';
import { InvalidArgumentError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import { DURATION_FORM, parseDuration, type Duration } from '../../workflow/index.js';
import {
  migrateFleet,
  type MigrateAllOptions,
  type TenantMigration,
} from '../migrations/migrate-fleet.js';
import type { Tenant } from './tenant.js';
import type { TenantManager } from './tenant-manager.js';

export interface TenantsParts {
  readonly host: Pick<
    TenantManager,
    'openTenant' | 'find' | 'has' | 'list' | 'inTurn' | 'removeTenant'
  >;
  /** Checks the options of a tenant and fills in the defaults. Throws ConfigurationError. */
  readonly admit: (options: CloacinaTenantOptions) => ResolvedTenantOptions;
}

/**
 * The tenants that this process serves: those of `forTenant`, those that were added, and those that were discovered.
 * What is done here is done in this process alone; other processes go on as they are.
 *
 * Injectable anywhere, as soon as `CloacinaModule` is imported in any form.
 *
 * @example
 * ```ts
 * constructor(private readonly tenants: CloacinaTenants) {}
 *
 * async signUp(name: string): Promise<void> {
 *   const tenant = await this.tenants.add({ schema: `tenant_${name}` });
 *   await tenant.runner.start(Onboarding, { name });
 * }
 * ```
 */
export class CloacinaTenants {
  /** @internal Applications get it by injection. */
  constructor(private readonly parts: TenantsParts) {}

  /**
   * Serves one more tenant: creates and migrates its schema, recovers what dead processes left there, and claims its
   * work. Before the application's bootstrap it is opened, and claiming begins with that of the others.
   *
   * Idempotent: a tenant that is served with the same options already is returned as it is. Any number of processes
   * may add one tenant at once. A call that fails leaves nothing behind in this process, and may be repeated.
   *
   * @param options - as for `forTenant`, with forRoot's as defaults
   * @throws ConfigurationError when options are wrong, or when a tenant of that name or on that schema is served with
   * other options
   * @throws DatabaseUnavailableError when the database was away for the tenant's `startTimeout`
   * @throws MigrationError, PermissionError as {@link CloacinaMigrator.ensure}
   * @throws NotAllowedError when the application is shutting down
   */
  async add(options: CloacinaTenantOptions): Promise<Tenant> {
    const resolved = this.parts.admit(options);
    const how = { timeoutMs: resolved.startTimeoutMs, libraryEntities: false, isDiscovered: false };
    return this.parts.host.openTenant(resolved, how);
  }

  /**
   * @param tenant - its name
   * @throws UnknownTenantError when this process doesn't serve it
   */
  get(tenant: string): Tenant {
    return this.parts.host.find(tenant).tenant;
  }

  /** Whether this process serves it. */
  has(tenant: string): boolean {
    return this.parts.host.has(tenant);
  }

  /** All that this process serves, in the order in which they were opened. */
  list(): Tenant[] {
    return this.parts.host.list().map(({ tenant }) => tenant);
  }

  /**
   * Stops serving a tenant in this process; drops nothing. Nothing more is claimed, what has not begun is given back,
   * and running handlers are waited for. Those that take longer are aborted and their tasks given back, at no cost of
   * an attempt. From the call on the tenant is in {@link get}, {@link has} and {@link list} no more.
   *
   * Who waits for a result gets a TenantRemovedError at the end of that, and so does every later call of the tenant's
   * runner, also of one that was injected. The executions go on wherever the tenant is served.
   *
   * @param options.drain - how long running handlers may go on; default: the tenant's `shutdownTimeout`
   * @throws UnknownTenantError when this process doesn't serve it
   */
  async remove(tenant: string, options: { drain?: Duration } = {}): Promise<void> {
    await this.parts.host.removeTenant(tenant, drainTime(options.drain));
  }

  /**
   * Claims nothing of the tenant in this process until {@link resume}: what has not begun is given back, what runs goes
   * on to its end. Starts are accepted as before. It is stored nowhere: other processes go on, and so does this one
   * when it is started again.
   *
   * @throws UnknownTenantError when this process doesn't serve it
   */
  async pause(tenant: string): Promise<void> {
    await this.parts.host.inTurn(tenant, ({ engine }) => engine.pauseClaiming());
  }

  /**
   * Claims again what {@link pause} held up. A tenant that isn't paused is left as it is.
   *
   * @throws UnknownTenantError when this process doesn't serve it
   */
  async resume(tenant: string): Promise<void> {
    await this.parts.host.inTurn(tenant, ({ engine }) => engine.resumeClaiming());
  }

  /**
   * Brings the schemas of all tenants that this process serves up to date and reports on each. A tenant that fails
   * stops no other one; the same call goes on with what is left.
   *
   * @throws InvalidArgumentError when `concurrency` is no whole number of at least 1
   */
  migrateAll(options?: MigrateAllOptions): Promise<TenantMigration[]> {
    return migrateFleet(
      this.list().map(({ migrator }) => migrator),
      options,
    );
  }
}

function drainTime(drain: Duration | undefined): number | undefined {
  if (drain === undefined) return undefined;
  const ms = parseDuration(drain);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('drain', `must be ${DURATION_FORM}, not ${formatValue(drain)}`);
}
