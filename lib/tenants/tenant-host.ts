import type { WorkflowRegistry } from '../discovery/registered-workflow.js';
import { RunQueue } from '../engine/run-queue.js';
import { ConfigurationError, NotAllowedError, UnknownTenantError } from '../errors/index.js';
import type { LoginEngine } from './login-engine.js';
import { Logins } from './logins.js';
import { ServedTenant } from './served-tenant.js';
import type { HostedTenantOptions, Tenant } from './tenant.js';
import { TenantOpener, type OpenHow } from './tenant-opener.js';
import { isSameTenant, TenantsInUse } from './tenants-in-use.js';
import { Turns } from './turns.js';

/** The tenants of a boot: it waits a minute for a database that doesn't answer. */
const AT_BOOT: OpenHow = { patienceMs: 60_000, libraryEntities: true };

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
  private claiming = false;

  constructor(
    registry: WorkflowRegistry,
    /** Tasks that run at once in this process. */
    maxConcurrentTasks: number,
  ) {
    this.logins = new Logins(new RunQueue(maxConcurrentTasks));
    this.opener = new TenantOpener({ registry, stopping: this.stopping.signal });
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
    const result = this.turns.take(tenant, () => this.openInTurn(options, how));
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
    return this.inTurn(name, async (served) => {
      this.open.delete(name);
      try {
        await served.drain(drainMs);
      } finally {
        await this.discard(served);
      }
    });
  }

  /** Registers definitions and lets the tenants claim. From here on work begins. */
  async startClaiming(): Promise<void> {
    this.claiming = true;
    const tenants = [...this.open.values()];
    await Promise.all(
      tenants.map((served) =>
        this.opener.serve(served, AT_BOOT.patienceMs).catch((error: unknown) => {
          // It was removed meanwhile.
          if (!served.isDraining) throw error;
        }),
      ),
    );
  }

  /** One pass over all tenants for what lost processes left. Idempotent. */
  async recoverOnce(): Promise<void> {
    await Promise.all(this.logins.list().map((login) => login.recovery.runOnce('leaseOver')));
  }

  /** Gives back what has not begun and waits for what runs: nothing is claimed any more, and no tenant opened. */
  async drain(): Promise<void> {
    this.stopping.abort();
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
    const known = this.open.get(tenant);
    if (known !== undefined) {
      if (isSameTenant(known.options, options)) return known.tenant;
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
