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
import type { CloacinaAdmin } from '../admin/cloacina-admin.js';
import type { FinishedMove } from '../moving/finish-move.js';
import type { MoveOptions, MoveProgress, MoveReport } from '../moving/move-options.js';
import { readCurrentMove, type CurrentMove, type LeftCopy } from './current-move.js';
import type { Tenant } from './tenant.js';
import type { TenantManager } from './tenant-manager.js';

export interface TenantsParts {
  readonly host: Pick<
    TenantManager,
    'openTenant' | 'find' | 'forgetServer' | 'has' | 'list' | 'inTurn' | 'removeTenant'
  >;
  /** Checks a tenant's options and fills in the defaults. Throws ConfigurationError. */
  readonly admit: (options: CloacinaTenantOptions) => ResolvedTenantOptions;
  /** Moves tenants between the servers of forRoot. */
  readonly admin: Pick<CloacinaAdmin, 'moveTenant' | 'finishMove' | 'listTenants'>;
}

/**
 * The tenants that this process serves: those of `forTenant`, those that were added, and those that were discovered.
 * All methods affect this process alone; other processes continue unchanged.
 *
 * Injectable in every module of an application that imports `CloacinaModule` in any form.
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
  /** How far the moves are that this process carries out, by schema. */
  private readonly progress = new Map<string, MoveProgress>();

  /** @internal Applications get it by injection. */
  constructor(private readonly parts: TenantsParts) {}

  /**
   * Serves one more tenant: creates and migrates its schema, recovers tasks of lost processes, and claims its tasks. Before
   * the application's bootstrap it only opens the tenant; claiming then begins with that of the other tenants.
   *
   * Idempotent: if the tenant is already served with the same options, it is returned unchanged. Several processes may
   * add one tenant at once. A call that fails leaves nothing behind in this process and can be repeated.
   *
   * @param options - as for `forTenant`, with forRoot's as defaults
   * @throws ConfigurationError if options are invalid, or if a tenant of that name or on that schema is served with
   * other options
   * @throws DatabaseUnavailableError if the database could not be reached for the tenant's `startTimeout`
   * @throws MigrationError, PermissionError as {@link CloacinaMigrator.ensure}
   * @throws NotAllowedError if the application is shutting down
   */
  async add(options: CloacinaTenantOptions): Promise<Tenant> {
    const resolved = this.parts.admit(options);
    const how = { timeoutMs: resolved.startTimeoutMs, libraryEntities: false, isDiscovered: false };
    return this.parts.host.openTenant(resolved, how);
  }

  /**
   * Returns a tenant that this process serves.
   *
   * @param tenant - the tenant's name
   * @throws UnknownTenantError if this process doesn't serve the tenant
   */
  get(tenant: string): Tenant {
    return this.parts.host.find(tenant).tenant;
  }

  /** Whether this process serves the tenant. */
  has(tenant: string): boolean {
    return this.parts.host.has(tenant);
  }

  /** All tenants that this process serves, in the order in which they were opened. */
  list(): Tenant[] {
    return this.parts.host.list().map(({ tenant }) => tenant);
  }

  /**
   * Stops serving a tenant in this process. It drops nothing, and the executions continue in other processes that serve
   * the tenant. From the call on, {@link get}, {@link has} and {@link list} no longer know the tenant.
   *
   * The process claims no more tasks, returns unstarted claims, and waits for running handlers. After `drain` it aborts
   * their signals and returns their tasks; that costs them no attempt.
   *
   * When the removal is complete, callers that wait for a result get a TenantRemovedError. So does every later call of the
   * tenant's runner, even if it was injected.
   *
   * @param options.drain - how long running handlers may continue. Default: the tenant's `shutdownTimeout`
   * @throws UnknownTenantError if this process doesn't serve the tenant
   */
  async remove(tenant: string, options: { drain?: Duration } = {}): Promise<void> {
    await this.parts.host.removeTenant(tenant, drainTime(options.drain));
  }

  /**
   * Says that the tenants of a server that is away are on other servers now, such as from a backup. This process stops serving
   * the tenants that it has discovered there, aborts the signals of their handlers, and serves them from where discovery finds
   * them. When the call resolves, it has looked on the other servers. Call it in each process; a restart while the server is
   * away has the same effect.
   *
   * Without it, a schema that was found on a server is not served from another one, because the first one may come back. If it
   * does after the call, a schema that is on both is not served from it, which is logged. Tenants of `forTenant` and {@link add}
   * name their server, and stay.
   *
   * @param server - the name in the option `servers`
   * @throws InvalidArgumentError if it is not one of the servers that discovery searches
   * @throws NotAllowedError if the server answers within 5 s
   *
   * @example
   * ```ts
   * await tenants.forgetServer('eu');
   * ```
   */
  async forgetServer(server: string): Promise<void> {
    await this.parts.host.forgetServer(server);
  }

  /**
   * Stops claiming the tenant's tasks in this process until {@link resume}. Unstarted claims are returned; running handlers
   * finish. Starts are accepted as before. The pause is not stored: other processes continue to claim, and so does this
   * one after a restart.
   *
   * @throws UnknownTenantError if this process doesn't serve the tenant
   */
  async pause(tenant: string): Promise<void> {
    await this.parts.host.inTurn(tenant, ({ engine }) => engine.pauseClaiming());
  }

  /**
   * Claims tasks again after {@link pause}. No effect on a tenant that is not paused.
   *
   * @throws UnknownTenantError if this process doesn't serve the tenant
   */
  async resume(tenant: string): Promise<void> {
    await this.parts.host.inTurn(tenant, ({ engine }) => engine.resumeClaiming());
  }

  /**
   * Migrates the schemas of all tenants that this process serves and reports on each, several servers at the same time. A tenant
   * that fails does not stop the others. Repeat the call to migrate the rest.
   *
   * @throws InvalidArgumentError if `concurrency` is not a whole number of at least 1
   */
  async migrateAll(options?: MigrateAllOptions): Promise<TenantMigration[]> {
    const tenants = this.list();
    const report = await migrateFleet(
      tenants.map(({ migrator }) => migrator),
      options,
    );
    return report.map((one, i) => {
      const server = tenants[i]?.server;
      return server === undefined ? one : { ...one, server };
    });
  }

  /**
   * Moves a tenant with everything in its schema to another server of the option `servers`. It works as usual while its rows are
   * copied. At the end it stands still for a short time: no task begins then, and calls wait for the last seconds. All processes that
   * serve the tenant follow, without a restart. The migrations of the application make its tables on the new server.
   *
   * A call after an interruption at any point, in this or another process, goes on with the move, or makes it anew. The old server
   * keeps its copy, which refuses all writes, until {@link finishMove}.
   *
   * @param tenant - the tenant's name
   * @throws UnknownTenantError if this process doesn't serve the tenant
   * @throws MoveNotPossibleError with everything that can't be moved; nothing has changed
   * @throws MoveFailedError if running tasks did not end in time, or if a server was lost. It says whether the move was undone
   * @throws DatabaseUnavailableError if a server could not be reached
   * @example
   * ```ts
   * await tenants.move('acme', { to: 'us', dryRun: true });
   * const { stoppedMs } = await tenants.move('acme', { to: 'us' });
   * await tenants.finishMove('acme');
   * ```
   */
  async move(tenant: string, options: MoveOptions): Promise<MoveReport> {
    const { schema, migrations, searchPath } = this.parts.host.find(tenant).options;
    const onProgress = (progress: MoveProgress): void => {
      this.progress.set(schema, progress);
      return options.onProgress?.(progress);
    };
    try {
      return await this.parts.admin.moveTenant({
        ...options,
        schema,
        migrations,
        searchPath,
        onProgress,
      });
    } finally {
      this.progress.delete(schema);
    }
  }

  /**
   * Reads the move of a tenant that is not complete: its state on the server from which this process serves the tenant, and whether
   * it was interrupted. Null if the tenant does not move, and after the end of its move. It does not wait for the move.
   *
   * @param tenant - the tenant's name
   * @throws UnknownTenantError if this process doesn't serve the tenant
   * @throws DatabaseUnavailableError if the server could not be reached for the tenant's `startTimeout`
   * @example
   * ```ts
   * const move = await tenants.currentMove('acme');
   * if (move?.isInterrupted) await tenants.move('acme', { to: move.peer });
   * ```
   */
  async currentMove(tenant: string): Promise<CurrentMove | null> {
    const runtime = this.parts.host.find(tenant);
    return readCurrentMove(runtime, this.progress.get(runtime.options.schema));
  }

  /**
   * Lists the copies that moves of this process's tenants have left on the servers that they have moved away from, until
   * {@link finishMove} drops them. Without those on servers that could not be reached, and those that the login of forRoot may not
   * read.
   *
   * @example
   * ```ts
   * for (const { tenant, server } of await tenants.leftCopies()) console.warn(`${tenant} has left a copy on ${server}.`);
   * ```
   */
  async leftCopies(): Promise<LeftCopy[]> {
    const served = this.parts.host.list().filter(({ options }) => options.server !== undefined);
    if (served.length === 0) return [];
    const names = new Map(served.map(({ tenant, options }) => [options.schema, tenant.name]));
    const listed = await this.parts.admin.listTenants({ onAway: () => undefined });
    return listed.flatMap(({ schema, server, move }) => {
      const tenant = names.get(schema);
      if (tenant === undefined || server === undefined || move?.state !== 'moved') return [];
      return [{ tenant, server, since: move.since }];
    });
  }

  /**
   * Drops the copies that moves of a tenant have left on the servers that it has moved away from. It cannot be undone. A move that was
   * interrupted before its switch is undone: the tenant stays where it is.
   *
   * @param tenant - the tenant's name
   * @throws UnknownTenantError if this process doesn't serve the tenant
   * @throws NotAllowedError if the tenant is being moved
   */
  async finishMove(tenant: string): Promise<FinishedMove> {
    const { schema } = this.parts.host.find(tenant).options;
    return this.parts.admin.finishMove({ schema });
  }
}

function drainTime(drain: Duration | undefined): number | undefined {
  if (drain === undefined) return undefined;
  const ms = parseDuration(drain);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('drain', `must be ${DURATION_FORM}, not ${formatValue(drain)}`);
}
