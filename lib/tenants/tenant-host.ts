import type { WorkflowRegistry } from '../discovery/registered-workflow.js';
import { RunQueue } from '../engine/run-queue.js';
import { ConfigurationError, NotAllowedError, UnknownTenantError } from '../errors/index.js';
import type { LoginEngine, LoginSettings } from './login-engine.js';
import { Logins } from './logins.js';
import { ServedTenant } from './served-tenant.js';
import type { HostedTenantOptions, Tenant } from './tenant.js';
import { TenantDiscovery } from './tenant-discovery.js';
import type { MarkedSchema } from './tenant-marker.js';
import { TenantOpener, type OpenHow } from './tenant-opener.js';
import { isSameTenant, TenantsInUse } from './tenants-in-use.js';
import { Turns } from './turns.js';

/** The tenants of a boot: it waits a minute for a database that doesn't answer. */
const AT_BOOT: OpenHow = { patienceMs: 60_000, libraryEntities: true, isDiscovered: false };

/** What tenants are discovered with. */
export interface DiscoverySettings {
  /** Of the login whose database is looked through. */
  readonly login: LoginSettings;
  /** A found tenant's options. Throws ConfigurationError when it can't have the name. */
  readonly optionsOf: (found: MarkedSchema) => HostedTenantOptions;
}

interface Opening {
  readonly options: HostedTenantOptions;
  readonly result: Promise<Tenant>;
}

/** Opens, runs, drains and closes the tenants of one application. */
export class TenantHost {
  private readonly open = new Map<string, ServedTenant>();
  /** What is being opened, until somebody asks for its removal. */
  private readonly opening = new Map<string, Opening>();
  private readonly inUse = new TenantsInUse();
  private readonly turns = new Turns();
  private readonly logins: Logins;
  private readonly opener: TenantOpener;
  /** Aborts when the shutdown begins. */
  private readonly stopping = new AbortController();
  /** Aborts when the boot has failed, also elsewhere in the application. */
  private readonly failed = new AbortController();
  private discovery: TenantDiscovery | undefined;
  private discovering: LoginEngine | undefined;
  private claiming = false;

  constructor(
    registry: WorkflowRegistry,
    /** Tasks that run at once in this process. */
    maxConcurrentTasks: number,
  ) {
    this.logins = new Logins(new RunQueue(maxConcurrentTasks));
    this.opener = new TenantOpener({
      registry,
      stopping: AbortSignal.any([this.stopping.signal, this.failed.signal]),
    });
  }

  /**
   * Creates and migrates the schema; once the application claims, recovers what dead processes left and claims, too.
   * A tenant that is open with the same options already, or is being opened, is that tenant.
   *
   * @throws ConfigurationError when the name or the schema is in use otherwise
   * @throws NotAllowedError when the shutdown has begun
   */
  openTenant(options: HostedTenantOptions, how: OpenHow = AT_BOOT): Promise<Tenant> {
    const { tenant } = options;
    const opening = this.opening.get(tenant);
    if (opening !== undefined && isSameTenant(opening.options, options)) return opening.result;
    const open = (): Promise<Tenant> =>
      this.turns.take(tenant, () => this.openInTurn(options, how));
    // Not within the turn: two that wait for each other's names would wait for ever.
    const inTheWay = how.isDiscovered ? undefined : this.discoveredOn(options);
    const result =
      inTheWay === undefined || inTheWay === tenant
        ? open()
        : this.inTurn(inTheWay, (served) => this.giveWay(served)).then(open, open);
    const entry = { options, result };
    this.opening.set(tenant, entry);
    const forget = (): void => {
      if (this.opening.get(tenant) === entry) this.opening.delete(tenant);
    };
    result.then(forget, forget);
    return result;
  }

  /** @throws UnknownTenantError */
  find(name: string): ServedTenant {
    const served = this.open.get(name);
    if (served === undefined) throw new UnknownTenantError(name, [...this.open.keys()]);
    return served;
  }

  has(name: string): boolean {
    return this.open.has(name);
  }

  /** In the order in which they were opened. */
  list(): ServedTenant[] {
    return [...this.open.values()];
  }

  /** Does something to a tenant when what was asked before for that name is done. */
  inTurn<T>(name: string, work: (served: ServedTenant) => T | Promise<T>): Promise<T> {
    return this.turns.take(name, async () => work(this.find(name)));
  }

  /**
   * Drains the tenant and closes it; its login's connections too, if it was the last one there.
   *
   * @param drainMs - how long running handlers may go on; default: the tenant's `shutdownTimeout`
   * @throws UnknownTenantError
   */
  removeTenant(name: string, drainMs?: number): Promise<void> {
    this.opening.delete(name);
    return this.inTurn(name, (served) => {
      this.discovery?.forget(served.options);
      return this.takeOut(served, drainMs);
    });
  }

  /**
   * Opens the tenants that are found in the database of a login, and keeps looking for more once the application claims.
   *
   * @throws DatabaseUnavailableError when it was away for a minute
   */
  async discover({ login: settings, optionsOf }: DiscoverySettings): Promise<void> {
    const login = this.logins.acquire(settings);
    this.discovering = login;
    this.discovery = new TenantDiscovery({
      login,
      settings,
      inUse: this.inUse,
      served: () => this.list(),
      open: async (found) => {
        const options = optionsOf(found);
        const how = { patienceMs: options.startTimeoutMs, libraryEntities: false };
        await this.openTenant(options, { ...how, isDiscovered: true });
      },
      remove: (name) => this.inTurn(name, (served) => this.takeOut(served, 0)),
    });
    await this.opener.whileAway(login, AT_BOOT.patienceMs, async () => {
      await this.discovery?.lookOnce();
    });
  }

  /** The boot has failed elsewhere: tenants that are being opened wait no longer for a database that is away. */
  stopWaiting(): void {
    if (!this.claiming) this.failed.abort();
  }

  /** Registers definitions and lets the tenants claim. From here on work begins. */
  async startClaiming(): Promise<void> {
    this.claiming = true;
    const tenants = [...this.open.values()];
    await Promise.all([
      this.hearOfTenants(),
      ...tenants.map((served) =>
        this.opener.serve(served, AT_BOOT.patienceMs).catch(async (error: unknown) => {
          // It was removed meanwhile.
          if (served.isDraining) return;
          // A tenant that nobody asked for must not keep the application from its boot.
          if (!served.isDiscovered) throw error;
          await this.inTurn(served.tenant.name, () => this.takeOut(served, 0));
          this.discovery?.report(served.options, error);
        }),
      ),
    ]);
    this.discovery?.start();
  }

  /** The login that discovers may have no tenant yet. */
  private async hearOfTenants(): Promise<void> {
    const login = this.discovering;
    if (login === undefined) return;
    await this.opener.whileAway(login, AT_BOOT.patienceMs, () => login.start());
  }

  /** One pass over all tenants for what lost processes left. Idempotent. */
  async recoverOnce(): Promise<void> {
    await Promise.all(this.logins.list().map((login) => login.recovery.runOnce('leaseOver')));
  }

  /** Gives back what has not begun and waits for what runs: nothing is claimed any more, and no tenant opened. */
  async drain(): Promise<void> {
    this.stopping.abort();
    this.discovery?.stop();
    await Promise.all([...this.open.values()].map((served) => served.drain()));
  }

  /** After the drain: waiters are told, and the connections are closed. */
  async close(): Promise<void> {
    await this.drain();
    await this.turns.settled();
    for (const served of this.open.values()) await served.close();
    this.open.clear();
    await this.logins.close();
  }

  private async openInTurn(options: HostedTenantOptions, how: OpenHow): Promise<Tenant> {
    const { tenant } = options;
    this.refuseWhenStopping(tenant);
    if (!how.isDiscovered) this.discovery?.want(options);
    const known = this.open.get(tenant);
    if (known !== undefined && isSameTenant(known.options, options)) {
      known.isDiscovered &&= how.isDiscovered;
      return known.tenant;
    }
    if (known !== undefined) await this.giveWay(known);
    if (this.open.has(tenant)) {
      throw new ConfigurationError([
        `Tenant "${tenant}" is open with other options. Remove it first, or give the other one a name of its own.`,
      ]);
    }
    this.inUse.add(options);
    const login = this.logins.acquire(options);
    let served: ServedTenant | undefined;
    try {
      served = await this.opener.migrate(options, login, how);
      this.refuseWhenStopping(tenant);
      if (this.claiming) await this.opener.serve(served, how.patienceMs);
      this.refuseWhenStopping(tenant);
    } catch (error) {
      await served?.drain(0);
      await this.discard(served ?? { options, login });
      throw error;
    }
    this.open.set(tenant, served);
    return served.tenant;
  }

  /** The discovered tenant that is on the schema. */
  private discoveredOn(options: HostedTenantOptions): string | undefined {
    const name = this.inUse.onSchema(options)?.tenant;
    return name !== undefined && this.open.get(name)?.isDiscovered === true ? name : undefined;
  }

  /** What the application asks for itself takes the place of what was discovered. */
  private async giveWay(served: ServedTenant): Promise<void> {
    if (served.isDiscovered) await this.takeOut(served);
  }

  private async takeOut(served: ServedTenant, drainMs?: number): Promise<void> {
    const { name } = served.tenant;
    if (this.open.get(name) !== served) return;
    this.opening.delete(name);
    this.open.delete(name);
    try {
      await served.drain(drainMs);
    } finally {
      await this.discard(served);
    }
  }

  private async discard(
    served: ServedTenant | { options: HostedTenantOptions; login: LoginEngine },
  ): Promise<void> {
    if (served instanceof ServedTenant) await served.close();
    await this.logins.release(served.login);
    this.inUse.delete(served.options);
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
