import { Logger } from '@nestjs/common';
import { InvalidArgumentError, listNames, NotAllowedError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import { DatabaseProbe } from '../health/database-probe.js';
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

/** How long a server that is to be forgotten has for an answer, in milliseconds. */
const ANSWER_MS = 5_000;

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
  private readonly logger = new Logger('CloacinaTenants');
  private all: readonly Discovering[] = [];
  private found = new FoundSchemas([]);

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
    this.found = found;
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

  /**
   * Stops serving the tenants that were discovered on a server that is away, and looks on the other servers for their schemas.
   *
   * @throws InvalidArgumentError if the server is not searched; NotAllowedError if it answers
   */
  async forgetServer(server: string): Promise<void> {
    const lost = this.all.find((one) => one.settings.server === server);
    if (lost === undefined) throw notSearched(server, this.all);
    const { group } = lost;
    const probe = new DatabaseProbe(group.clocks.process, () => group.ping());
    if ((await probe.check(ANSWER_MS)).error === undefined) {
      throw new NotAllowedError(
        `forgetServer(${JSON.stringify(server)})`,
        'the server answers, so its tenants are there',
        'Call it while the server is away, or remove tenants by name with remove().',
      );
    }
    const { runtime, remove } = this.parts;
    const its = runtime().filter((one) => one.isDiscovered && one.options.server === server);
    await Promise.all(its.map(({ tenant }) => remove(tenant.name).catch(() => undefined)));
    const schemas = this.found.forget(server);
    this.logger.warn(
      `Server "${server}" is forgotten: this process no longer serves ${its.length} of its tenants, and may find them on others.`,
    );
    const others = this.all.filter((one) => one !== lost);
    // Those that are away too look when they are back.
    await Promise.all(
      others.map(({ discovery }) => discovery.retry(schemas).catch(() => undefined)),
    );
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

function notSearched(server: unknown, all: readonly Discovering[]): InvalidArgumentError {
  const names = all.flatMap(({ settings }) => settings.server ?? []);
  return new InvalidArgumentError(
    'server',
    names.length === 0
      ? 'needs the options servers and tenants.discover'
      : `must be one of the servers ${listNames(names)}, not ${formatValue(server)}`,
  );
}
