import type { WorkflowRegistry } from '../../discovery/registered-workflow.js';
import { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import { ApplicationHooks } from './application-hooks.js';
import { SYSTEM_CLOCKS } from '../../store/postgres/clocks.js';
import type { ConnectionGroup } from './connection-group.js';
import { ConnectionGroups } from './connection-groups.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import type { Tenant } from './tenant.js';
import { bootTimeout } from './boot-timeout.js';
import { OpenTenants } from './open-tenants.js';
import { RuntimeMoves } from './runtime-moves.js';
import { ServerDiscoveries, type DiscoverySettings } from './server-discoveries.js';
import { ServerReturns } from './server-returns.js';
import { isUnreachable } from './tenant-arrival.js';
import { TenantBootstrapper, type PrepareOptions } from './tenant-bootstrapper.js';
import type { TenantRuntime } from './tenant-runtime.js';
import { TenantsInUse } from './tenants-in-use.js';
import { observed } from './observed.js';
import type { StorageOverride } from './storage-override.js';
import { KeyedMutex } from '../../runtime/keyed-mutex.js';

/** Boots, runs, drains and closes the tenants of one application, which {@link OpenTenants} holds. */
export class TenantManager {
  private readonly open: OpenTenants;
  private readonly slots: SlotScheduler;
  private readonly logins: ConnectionGroups;
  /** Ends the collection of metrics. */
  private unobserve: (() => void) | undefined;
  private readonly opener: TenantBootstrapper;
  /** Aborted when the shutdown begins. */
  private readonly stopping = new AbortController();
  /** Aborted when the boot has failed, in any part of the application. */
  private readonly failed = new AbortController();
  private readonly discoveries: ServerDiscoveries;
  private readonly returns: ServerReturns;
  private claiming = false;

  constructor(
    registry: WorkflowRegistry,
    /** Maximum number of tasks that run at once in this process. */
    maxConcurrentTasks: number,
    private readonly hooks = new ApplicationHooks(),
    clocks = SYSTEM_CLOCKS,
    storage?: StorageOverride,
  ) {
    this.slots = new SlotScheduler(maxConcurrentTasks, clocks.process);
    this.logins = new ConnectionGroups(this.slots, clocks, storage);
    const stopping = AbortSignal.any([this.stopping.signal, this.failed.signal]);
    const isClaiming = (): boolean => this.claiming;
    const { logins } = this;
    const inUse = new TenantsInUse();
    const turns = new KeyedMutex();
    this.open = new OpenTenants({
      logins,
      inUse,
      turns,
      opener: () => this.opener,
      discoveries: () => this.discoveries,
      returns: () => this.returns,
      isClaiming,
      stopping: this.stopping.signal,
    });
    const moves = new RuntimeMoves({
      clock: clocks.process,
      logins,
      inUse,
      turns,
      opener: () => this.opener,
      runtime: (name) => this.open.get(name),
      giveWay: (runtime) => this.open.giveWay(runtime),
      isClaiming,
    });
    this.opener = new TenantBootstrapper({
      registry,
      hooks,
      isClaiming,
      stopping,
      moves,
    });
    this.returns = new ServerReturns({ opener: this.opener, stopping });
    const { opener, returns } = this;
    this.discoveries = new ServerDiscoveries({
      logins,
      opener,
      returns,
      inUse,
      runtime: () => this.open.list(),
      open: (options) =>
        this.open.add(options, {
          timeoutMs: options.startTimeoutMs,
          libraryEntities: false,
          isDiscovered: true,
        }),
      remove: (name) => this.open.inTurn(name, (runtime) => this.open.takeOut(runtime, 0)),
    });
  }

  /** See {@link OpenTenants.add}. */
  openTenant(options: ResolvedTenantOptions, how?: PrepareOptions): Promise<Tenant> {
    return this.open.add(options, how);
  }

  /** See {@link OpenTenants.remove}. */
  removeTenant(name: string, drainMs?: number): Promise<void> {
    return this.open.remove(name, drainMs);
  }

  /** @throws UnknownTenantError */
  find(name: string): TenantRuntime {
    return this.open.find(name);
  }

  has(name: string): boolean {
    return this.open.get(name) !== undefined;
  }

  /** All open tenants, in the order in which they were opened. */
  list(): TenantRuntime[] {
    return this.open.list();
  }

  /** See {@link OpenTenants.inTurn}. */
  inTurn<T>(name: string, work: (runtime: TenantRuntime) => T | Promise<T>): Promise<T> {
    return this.open.inTurn(name, work);
  }

  /** The connections of each login. */
  groups(): ConnectionGroup[] {
    return this.logins.list();
  }

  /** Whether the application has bootstrapped, and lets its tenants claim. */
  get isClaiming(): boolean {
    return this.claiming;
  }

  /** Whether the shutdown has begun. */
  get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  /** The tenants that were discovered and could not be opened. */
  notOpened(): string[] {
    return this.discoveries.notOpened;
  }

  /**
   * Opens the tenants that are found in the databases of some logins, one for each server. Once the application claims, it keeps
   * looking for more.
   *
   * @throws DatabaseUnavailableError if a database could not be reached for a minute, unless the boot may go on without it
   */
  discover(all: readonly DiscoverySettings[]): Promise<void> {
    return this.discoveries.look(all);
  }

  /**
   * Stops serving the tenants that were discovered on a server that is away, and looks for them on the others.
   *
   * @throws InvalidArgumentError if discovery does not search the server; NotAllowedError if it answers
   */
  forgetServer(server: string): Promise<void> {
    return this.discoveries.forgetServer(server);
  }

  /** Ends the waits of tenants for an unreachable database, because the boot has failed elsewhere. */
  stopWaiting(): void {
    if (!this.claiming) this.failed.abort();
  }

  /** Registers definitions and lets the tenants claim. Handlers run from here on. */
  async startClaiming(): Promise<void> {
    this.claiming = true;
    this.unobserve = this.hooks.telemetry?.observe(observed(this.slots, this.logins));
    this.returns.startClaiming();
    const tenants = this.open.list();
    await Promise.all([
      this.discoveries.hearOfTenants(),
      ...tenants.map((runtime) => this.activateAtBoot(runtime)),
    ]);
    this.discoveries.start();
  }

  private async activateAtBoot(runtime: TenantRuntime): Promise<void> {
    // ServerReturns activates it, when its server is back.
    if (runtime.arrival !== undefined) return;
    const { options } = runtime;
    try {
      await this.opener.activate(runtime, bootTimeout(options));
    } catch (error) {
      // The tenant was removed while it was opened.
      if (runtime.isDraining) return;
      if (options.mayBeAway === true && isUnreachable(error)) {
        void this.returns.bringUp(runtime);
        return;
      }
      // A discovered tenant must not fail the boot of the application.
      if (!runtime.isDiscovered) throw error;
      await this.open.inTurn(runtime.tenant.name, () => this.open.takeOut(runtime, 0));
      this.discoveries.report(options, error);
    }
  }

  /** Runs one recovery pass over all tenants. Idempotent. */
  async recoverOnce(): Promise<void> {
    await Promise.all(this.logins.list().map((group) => group.recovery.runOnce('leaseOver')));
  }

  /** Stops claiming and opening tenants, returns unstarted claims, and waits for running handlers. */
  async drain(): Promise<void> {
    this.stopping.abort();
    this.discoveries.stop();
    await Promise.all(this.open.list().map((runtime) => runtime.drain()));
  }

  /** Drains, rejects waiting callers, and closes the connections. */
  async close(): Promise<void> {
    this.unobserve?.();
    await this.drain();
    await this.open.close();
    await this.logins.close();
  }
}
