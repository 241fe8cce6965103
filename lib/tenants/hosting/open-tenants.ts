import { Logger } from '@nestjs/common';
import { ConfigurationError, NotAllowedError, UnknownTenantError } from '../../errors/index.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import type { KeyedMutex } from '../../runtime/keyed-mutex.js';
import { BOOT_TIMEOUT_MS, bootTimeout } from './boot-timeout.js';
import type { ConnectionGroup } from './connection-group.js';
import type { ConnectionGroups } from './connection-groups.js';
import type { ServerDiscoveries } from './server-discoveries.js';
import type { ServerReturns } from './server-returns.js';
import {
  LivesElsewhere,
  type PrepareOptions,
  type TenantBootstrapper,
} from './tenant-bootstrapper.js';
import { TenantRuntime } from './tenant-runtime.js';
import type { Tenant } from './tenant.js';
import { isSameTenant, type TenantsInUse } from './tenants-in-use.js';

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

/** What opening and closing a tenant needs. */
export interface OpenTenantsParts {
  readonly logins: Pick<ConnectionGroups, 'acquire' | 'release'>;
  readonly inUse: TenantsInUse;
  /** The turns of the tenants' names. */
  readonly turns: KeyedMutex;
  readonly opener: () => Pick<TenantBootstrapper, 'prepare' | 'activate'>;
  readonly discoveries: () => Pick<ServerDiscoveries, 'want' | 'forget'>;
  readonly returns: () => Pick<ServerReturns, 'bringUp' | 'leave'>;
  /** Whether the process lets its tenants claim. */
  readonly isClaiming: () => boolean;
  /** Aborted when the shutdown begins. */
  readonly stopping: AbortSignal;
}

/** The tenants that an application serves. Opens and removes them, each name in its turn. */
export class OpenTenants {
  private readonly open = new Map<string, TenantRuntime>();
  /** Tenants that are being opened. A call that removes a tenant removes it from here at once. */
  private readonly opening = new Map<string, Opening>();

  constructor(private readonly parts: OpenTenantsParts) {}

  /**
   * Opens a tenant: creates and migrates its schema. If the application claims already, it also recovers tasks of lost
   * processes and lets the tenant claim. If a tenant with the same options is open or being opened, returns that one.
   *
   * @throws ConfigurationError if another tenant uses the name or the schema
   * @throws DuplicateSchemaError if the schema is served on another server
   * @throws NotAllowedError if the shutdown has begun
   */
  add(
    options: ResolvedTenantOptions,
    how: PrepareOptions = { ...AT_BOOT, timeoutMs: openTimeout(options) },
  ): Promise<Tenant> {
    const { tenant } = options;
    const opening = this.opening.get(tenant);
    if (opening !== undefined && isSameTenant(opening.options, options)) return opening.result;
    const open = (): Promise<Tenant> =>
      this.parts.turns.run(tenant, () => this.openInTurn(options, how));
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

  /** All open tenants, in the order in which they were opened. */
  list(): TenantRuntime[] {
    return [...this.open.values()];
  }

  /** The open tenant of a name. */
  get(name: string): TenantRuntime | undefined {
    return this.open.get(name);
  }

  /** Runs `work` on a tenant, after the earlier operations on the same name have ended. */
  inTurn<T>(name: string, work: (runtime: TenantRuntime) => T | Promise<T>): Promise<T> {
    return this.parts.turns.run(name, async () => work(this.find(name)));
  }

  /**
   * Drains the tenant and closes it. Closes its login's connections too, if no other tenant uses them.
   *
   * @param drainMs - how long running handlers may continue. Default: the tenant's `shutdownTimeout`
   * @throws UnknownTenantError
   */
  remove(name: string, drainMs?: number): Promise<void> {
    this.opening.delete(name);
    return this.inTurn(name, (runtime) => {
      this.parts.discoveries().forget(runtime.options);
      return this.takeOut(runtime, drainMs);
    });
  }

  /** Closes a discovered tenant, because a tenant that the application adds itself takes precedence. */
  async giveWay(runtime: TenantRuntime): Promise<void> {
    if (runtime.isDiscovered) await this.takeOut(runtime);
  }

  /** Drains and closes the tenant, in its turn. */
  async takeOut(runtime: TenantRuntime, drainMs?: number): Promise<void> {
    const { name } = runtime.tenant;
    if (this.open.get(name) !== runtime) return;
    this.opening.delete(name);
    this.open.delete(name);
    try {
      await runtime.drain(drainMs);
      await this.parts.returns().leave(runtime);
      void runtime.group.announcements.withdraw(runtime.engine);
    } finally {
      await this.discard(runtime);
    }
  }

  /** Closes all of them, when the turns of their names have ended. */
  async close(): Promise<void> {
    await this.parts.turns.settled();
    for (const runtime of this.open.values()) await runtime.close();
    this.open.clear();
  }

  private async openInTurn(options: ResolvedTenantOptions, how: PrepareOptions): Promise<Tenant> {
    const { tenant } = options;
    this.refuseWhenStopping(tenant);
    const known = this.open.get(tenant);
    if (known !== undefined && isSameTenant(known.given, options)) {
      if (!how.isDiscovered) this.parts.discoveries().want(options);
      known.isDiscovered &&= how.isDiscovered;
      return known.tenant;
    }
    this.parts.inUse.refuseOtherServer(options);
    if (!how.isDiscovered) this.parts.discoveries().want(options);
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
    this.parts.inUse.add(options);
    const group = this.parts.logins.acquire(options);
    let runtime: TenantRuntime | undefined;
    try {
      runtime = await this.parts.opener().prepare(options, group, how);
      runtime.given = given;
      this.refuseWhenStopping(tenant);
      if (this.parts.isClaiming() && runtime.arrival === undefined)
        await this.parts.opener().activate(runtime, how.timeoutMs);
      this.refuseWhenStopping(tenant);
    } catch (error) {
      await runtime?.drain(0);
      await this.discard(runtime ?? { options, group });
      if (error instanceof LivesElsewhere) return this.openThere(error.options, how, given);
      throw error;
    }
    this.open.set(tenant, runtime);
    if (runtime.arrival !== undefined) void this.parts.returns().bringUp(runtime);
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
    this.parts.discoveries().want(at);
    // Discovery may have opened it there.
    const there = this.open.get(this.parts.inUse.onSchema(at)?.tenant ?? '');
    if (there !== undefined) await this.giveWay(there);
    return this.openAt(at, how, given);
  }

  /** The name of the discovered tenant on the schema, if there is one. */
  private discoveredOn(options: ResolvedTenantOptions): string | undefined {
    const name = this.parts.inUse.onSchema(options)?.tenant;
    return name !== undefined && this.open.get(name)?.isDiscovered === true ? name : undefined;
  }

  private async discard(
    runtime: TenantRuntime | { options: ResolvedTenantOptions; group: ConnectionGroup },
  ): Promise<void> {
    if (runtime instanceof TenantRuntime) await runtime.close();
    await this.parts.logins.release(runtime.group);
    this.parts.inUse.delete(runtime.options);
  }

  private refuseWhenStopping(tenant: string): void {
    if (!this.parts.stopping.aborted) return;
    throw new NotAllowedError(
      `Opening tenant "${tenant}"`,
      'the application is shutting down',
      'Add it in the process that takes over.',
    );
  }
}
