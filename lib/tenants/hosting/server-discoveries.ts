import type { ResolvedTenantOptions } from '../../options/index.js';
import { bootTimeout } from './boot-timeout.js';
import type { ConnectionGroup } from './connection-group.js';
import type { ConnectionGroups } from './connection-groups.js';
import { FoundSchemas } from './found-schemas.js';
import type { ServerReturns } from './server-returns.js';
import { isUnreachable } from './tenant-arrival.js';
import type { TenantBootstrapper } from './tenant-bootstrapper.js';
import { TenantDiscovery, type DiscoveryParts } from './tenant-discovery.js';
import type { MarkedSchema } from './tenant-marker.js';
import type { TenantsInUse } from './tenants-in-use.js';

/** Settings of discovery. */
export interface DiscoverySettings {
  /** The connection of the login whose database is searched. */
  readonly group: ResolvedTenantOptions;
  /** Returns a found tenant's options; undefined to decline it. Throws ConfigurationError for invalid options. */
  readonly optionsOf: (found: MarkedSchema) => Promise<ResolvedTenantOptions | undefined>;
}

export interface ServerDiscoveriesParts extends Pick<DiscoveryParts, 'runtime' | 'remove'> {
  readonly logins: Pick<ConnectionGroups, 'acquire'>;
  readonly opener: Pick<TenantBootstrapper, 'whileAway' | 'start'>;
  readonly returns: Pick<ServerReturns, 'discover'>;
  readonly inUse: TenantsInUse;
  /** Opens a tenant that was found. */
  readonly open: (options: ResolvedTenantOptions) => Promise<unknown>;
}

/** The search for tenants on one server. */
interface Discovering {
  readonly discovery: TenantDiscovery;
  readonly group: ConnectionGroup;
  readonly settings: ResolvedTenantOptions;
  /** Whether the server was reached. */
  isReached: boolean;
}

/** The searches for tenants, one for each server. None if the application does not discover tenants. */
export class ServerDiscoveries {
  private all: readonly Discovering[] = [];

  constructor(private readonly parts: ServerDiscoveriesParts) {}

  /** The tenants that were discovered and could not be opened. */
  get notOpened(): string[] {
    return this.all.flatMap(({ discovery }) => discovery.notOpened);
  }

  /**
   * Opens the tenants that are found in the databases of some logins, one for each server.
   *
   * @throws DatabaseUnavailableError if a database could not be reached for a minute, unless the boot may go on without it
   */
  async look(all: readonly DiscoverySettings[]): Promise<void> {
    const found = new FoundSchemas(all.flatMap(({ group: { server } }) => server ?? []));
    this.all = all.map((one) => this.discovering(one, found));
    await Promise.all(this.all.map((one) => this.lookAtBoot(one, found)));
  }

  /**
   * Connects the logins that discover, which may have no tenant yet, so that they receive notifications of new ones. A server
   * that is away is searched when it is back.
   */
  async hearOfTenants(): Promise<void> {
    await Promise.all(this.all.map((one) => this.hear(one)));
  }

  /** Begins to look for more tenants. */
  start(): void {
    for (const { discovery, isReached } of this.all) if (isReached) discovery.start();
  }

  stop(): void {
    for (const { discovery } of this.all) discovery.stop();
  }

  /** Call when the application adds a tenant itself. */
  want(options: ResolvedTenantOptions): void {
    for (const { discovery } of this.all) discovery.want(options);
  }

  /** Call when the application removes a tenant. */
  forget(options: ResolvedTenantOptions): void {
    for (const { discovery } of this.all) discovery.forget(options);
  }

  /** Call when a discovered tenant could not be activated. */
  report(options: ResolvedTenantOptions, error: unknown): void {
    this.all.find(({ discovery }) => discovery.isHere(options))?.discovery.report(options, error);
  }

  private discovering(
    { group: settings, optionsOf }: DiscoverySettings,
    found: FoundSchemas,
  ): Discovering {
    const { logins, inUse, runtime, remove, open } = this.parts;
    const group = logins.acquire(settings);
    const discovery = new TenantDiscovery({
      group,
      settings,
      server: settings.server,
      found,
      inUse,
      runtime,
      remove,
      open: async (place) => {
        const options = await optionsOf(place);
        if (options === undefined) return false;
        // The application has added the tenant while optionsOf() ran.
        if (inUse.onSchema(options) === undefined) await open(options);
        return true;
      },
    });
    return { discovery, group, settings, isReached: false };
  }

  private async lookAtBoot(one: Discovering, found: FoundSchemas): Promise<void> {
    const { discovery, group, settings } = one;
    try {
      await this.parts.opener.whileAway(group, bootTimeout(settings), async () => {
        try {
          await discovery.lookOnce();
        } finally {
          found.passed(settings.server);
        }
      });
      one.isReached = true;
    } catch (error) {
      if (settings.mayBeAway !== true || !isUnreachable(error)) throw error;
    }
  }

  private async hear(one: Discovering): Promise<void> {
    const { discovery, group, settings } = one;
    if (one.isReached) {
      try {
        await this.parts.opener.start(group, bootTimeout(settings));
        return;
      } catch (error) {
        if (settings.mayBeAway !== true || !isUnreachable(error)) throw error;
        one.isReached = false;
      }
    }
    void this.parts.returns.discover(discovery, group);
  }
}
