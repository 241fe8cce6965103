import { Logger } from '@nestjs/common';
import type { WorkflowRegistry } from '../../discovery/registered-workflow.js';
import { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import { ApplicationHooks } from './application-hooks.js';
import { ConfigurationError, NotAllowedError, UnknownTenantError } from '../../errors/index.js';
import { SYSTEM_CLOCKS } from '../../store/postgres/clocks.js';
import type { ConnectionGroup } from './connection-group.js';
import { ConnectionGroups } from './connection-groups.js';
import { TenantRuntime } from './tenant-runtime.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import type { Tenant } from './tenant.js';
import { BOOT_TIMEOUT_MS, bootTimeout } from './boot-timeout.js';
import { RuntimeMoves } from './runtime-moves.js';
import { ServerDiscoveries, type DiscoverySettings } from './server-discoveries.js';
import { ServerReturns } from './server-returns.js';
import { isUnreachable } from './tenant-arrival.js';
import { LivesElsewhere, TenantBootstrapper, type PrepareOptions } from './tenant-bootstrapper.js';
import { isSameTenant, TenantsInUse } from './tenants-in-use.js';
import { observed } from './observed.js';
import type { StorageOverride } from './storage-override.js';
import { KeyedMutex } from '../../runtime/keyed-mutex.js';

/** Settings for the tenants of a boot, which waits a minute for a database that doesn't answer. */
const AT_BOOT: PrepareOptions = {
  timeoutMs: BOOT_TIMEOUT_MS,
  libraryEntities: true,
  isDiscovered: false,
  isBoot: true,
};

/** A boot doesn't go on without the server of an isolated tenant: see {@link TenantBootstrapper.prepare}. */
function openTimeout(options: ResolvedTenantOptions): number {
  return options.isolation === 'role' ? BOOT_TIMEOUT_MS : bootTimeout(options);
}

interface Opening {
  readonly options: ResolvedTenantOptions;
  readonly result: Promise<Tenant>;
}

/** Opens, runs, drains and closes the tenants of one application. */
export class TenantManager {
  private readonly open = new Map<string, TenantRuntime>();
  /** Tenants that are being opened. A call that removes a tenant removes it from here at once. */
  private readonly opening = new Map<string, Opening>();
  private readonly inUse = new TenantsInUse();
  private readonly turns = new KeyedMutex();
  private readonly slots: SlotScheduler;
  private readonly logins: ConnectionGroups;
  /** Ends the collection of metrics. */
  private unobserve: (() => void) | undefined;
  private readonly opener: TenantBootstrapper;
  private readonly moves: RuntimeMoves;
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
    this.moves = new RuntimeMoves({
      clock: clocks.process,
      logins: this.logins,
      inUse: this.inUse,
      turns: this.turns,
      opener: () => this.opener,
      runtime: (name) => this.open.get(name),
      giveWay: (runtime) => this.giveWay(runtime),
      isClaiming,
    });
    this.opener = new TenantBootstrapper({
      registry,
      hooks,
      isClaiming,
      stopping,
      moves: this.moves,
    });
    this.returns = new ServerReturns({ opener: this.opener, stopping });
    const { logins, opener, returns, inUse } = this;
    this.discoveries = new ServerDiscoveries({
      logins,
      opener,
      returns,
      inUse,
      runtime: () => this.list(),
      open: (options) =>
        this.openTenant(options, {
          timeoutMs: options.startTimeoutMs,
          libraryEntities: false,
          isDiscovered: true,
        }),
      remove: (name) => this.inTurn(name, (runtime) => this.takeOut(runtime, 0)),
    });
  }

  /**
   * Opens a tenant: creates and migrates its schema. If the application claims already, it also recovers tasks of lost
   * processes and lets the tenant claim. If a tenant with the same options is open or being opened, returns that one.
   *
   * @throws ConfigurationError if another tenant uses the name or the schema
   * @throws DuplicateSchemaError if the schema is served on another server
   * @throws NotAllowedError if the shutdown has begun
   */
  openTenant(
    options: ResolvedTenantOptions,
    how: PrepareOptions = { ...AT_BOOT, timeoutMs: openTimeout(options) },
  ): Promise<Tenant> {
    const { tenant } = options;
    const opening = this.opening.get(tenant);
    if (opening !== undefined && isSameTenant(opening.options, options)) return opening.result;
    const open = (): Promise<Tenant> => this.turns.run(tenant, () => this.openInTurn(options, how));
    // Outside of this name's turn: two openings that wait for each other's names would deadlock.
    const inTheWay = how.isDiscovered ? undefined : this.discoveredOn(options);
    const result =
      inTheWay === undefined || inTheWay === tenant
        ? open()
        : this.inTurn(inTheWay, (runtime) => this.giveWay(runtime)).then(open, open);
    const entry = { options, result };
    this.opening.set(tenant, entry);
    const forget = (): void => {
      if (this.opening.get(tenant) === entry) this.opening.delete(tenant);
    };
    result.then(forget, forget);
    return result;
  }

  /** @throws UnknownTenantError */
  find(name: string): TenantRuntime {
    const runtime = this.open.get(name);
    if (runtime === undefined) throw new UnknownTenantError(name, [...this.open.keys()]);
    return runtime;
  }

  has(name: string): boolean {
    return this.open.has(name);
  }

  /** All open tenants, in the order in which they were opened. */
  list(): TenantRuntime[] {
    return [...this.open.values()];
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

  /** Runs `work` on a tenant, after the earlier operations on the same name have ended. */
  inTurn<T>(name: string, work: (runtime: TenantRuntime) => T | Promise<T>): Promise<T> {
    return this.turns.run(name, async () => work(this.find(name)));
  }

  /**
   * Drains the tenant and closes it. Closes its login's connections too, if no other tenant uses them.
   *
   * @param drainMs - how long running handlers may continue. Default: the tenant's `shutdownTimeout`
   * @throws UnknownTenantError
   */
  removeTenant(name: string, drainMs?: number): Promise<void> {
    this.opening.delete(name);
    return this.inTurn(name, (runtime) => {
      this.discoveries.forget(runtime.options);
      return this.takeOut(runtime, drainMs);
    });
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
    const tenants = [...this.open.values()];
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
      await this.inTurn(runtime.tenant.name, () => this.takeOut(runtime, 0));
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
    await Promise.all([...this.open.values()].map((runtime) => runtime.drain()));
  }

  /** Drains, rejects waiting callers, and closes the connections. */
  async close(): Promise<void> {
    this.unobserve?.();
    await this.drain();
    await this.turns.settled();
    for (const runtime of this.open.values()) await runtime.close();
    this.open.clear();
    await this.logins.close();
  }

  private async openInTurn(options: ResolvedTenantOptions, how: PrepareOptions): Promise<Tenant> {
    const { tenant } = options;
    this.refuseWhenStopping(tenant);
    const known = this.open.get(tenant);
    if (known !== undefined && isSameTenant(known.given, options)) {
      if (!how.isDiscovered) this.discoveries.want(options);
      known.isDiscovered &&= how.isDiscovered;
      return known.tenant;
    }
    this.inUse.refuseOtherServer(options);
    if (!how.isDiscovered) this.discoveries.want(options);
    if (known !== undefined) await this.giveWay(known);
    if (this.open.has(tenant)) {
      throw new ConfigurationError([
        `Tenant "${tenant}" is open with other options. Remove it first, or give the new tenant another name.`,
      ]);
    }
    return this.openAt(options, how, options);
  }

  /** @param given - the options with which the application opens the tenant */
  private async openAt(
    options: ResolvedTenantOptions,
    how: PrepareOptions,
    given: ResolvedTenantOptions,
  ): Promise<Tenant> {
    const { tenant } = options;
    this.inUse.add(options);
    const group = this.logins.acquire(options);
    let runtime: TenantRuntime | undefined;
    try {
      runtime = await this.opener.prepare(options, group, how);
      runtime.given = given;
      this.refuseWhenStopping(tenant);
      if (this.claiming && runtime.arrival === undefined)
        await this.opener.activate(runtime, how.timeoutMs);
      this.refuseWhenStopping(tenant);
    } catch (error) {
      await runtime?.drain(0);
      await this.discard(runtime ?? { options, group });
      if (error instanceof LivesElsewhere) return this.openThere(error.options, how, given);
      throw error;
    }
    this.open.set(tenant, runtime);
    if (runtime.arrival !== undefined) void this.returns.bringUp(runtime);
    return runtime.tenant;
  }

  /** Opens a tenant on the server on which it lives, and not on the one that its options name. */
  private async openThere(
    at: ResolvedTenantOptions,
    how: PrepareOptions,
    given: ResolvedTenantOptions,
  ): Promise<Tenant> {
    new Logger('CloacinaTenants').warn(
      `Tenant "${at.tenant}": the code places it on server "${given.server ?? ''}", and it lives on server ` +
        `"${at.server ?? ''}". It is served there; change the code.`,
    );
    this.discoveries.want(at);
    // Discovery may have opened it there.
    const there = this.open.get(this.inUse.onSchema(at)?.tenant ?? '');
    if (there !== undefined) await this.giveWay(there);
    return this.openAt(at, how, given);
  }

  /** The name of the discovered tenant on the schema, if there is one. */
  private discoveredOn(options: ResolvedTenantOptions): string | undefined {
    const name = this.inUse.onSchema(options)?.tenant;
    return name !== undefined && this.open.get(name)?.isDiscovered === true ? name : undefined;
  }

  /** Closes a discovered tenant, because a tenant that the application adds itself takes precedence. */
  private async giveWay(runtime: TenantRuntime): Promise<void> {
    if (runtime.isDiscovered) await this.takeOut(runtime);
  }

  private async takeOut(runtime: TenantRuntime, drainMs?: number): Promise<void> {
    const { name } = runtime.tenant;
    if (this.open.get(name) !== runtime) return;
    this.opening.delete(name);
    this.open.delete(name);
    try {
      await runtime.drain(drainMs);
      await this.returns.leave(runtime);
      void runtime.group.announcements.withdraw(runtime.engine);
    } finally {
      await this.discard(runtime);
    }
  }

  private async discard(
    runtime: TenantRuntime | { options: ResolvedTenantOptions; group: ConnectionGroup },
  ): Promise<void> {
    if (runtime instanceof TenantRuntime) await runtime.close();
    await this.logins.release(runtime.group);
    this.inUse.delete(runtime.options);
  }

  private refuseWhenStopping(tenant: string): void {
    if (!this.stopping.signal.aborted) return;
    throw new NotAllowedError(
      `Opening tenant "${tenant}"`,
      'the application is shutting down',
      'Add it in the process that takes over.',
    );
  }
}
