import type { PlaceTenant } from '../../cloacina.callbacks.js';
import { ConfigurationError, DuplicateSchemaError, listNames } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import { isUnreachable } from '../hosting/tenant-arrival.js';
import { lockTenant } from './admin-session.js';
import type { AdminServers } from './admin-servers.js';

/** The choice of a server for a new tenant. */
interface Placement {
  readonly schema: string;
  /** The servers whose locks are still to be taken, in the order of all calls. */
  readonly servers: readonly string[];
  /** Whether servers that can't be reached are left out. */
  readonly mayBeAway: boolean;
  /** The failures of those that were left out. */
  readonly away: readonly unknown[];
}

/** Where a new tenant shall be. */
export interface WantedPlace {
  readonly schema: string;
  /** The name of the server. Undefined for the one that has the tenant, else the chosen one. */
  readonly wanted: string | undefined;
  /** Whether a tenant may be made on the named server without an answer of the others. */
  readonly othersMayBeAway: boolean;
}

/** Chooses the servers of new tenants. */
export class TenantPlacement {
  constructor(
    private readonly servers: AdminServers,
    private readonly placeTenant: PlaceTenant | undefined,
  ) {}

  /**
   * Runs `work` with the server for a new tenant. Calls for the same schema run one at a time, so two of them can't place it on
   * two servers. A call that places a new tenant needs the answers of all servers: two calls that reach no server in common could not
   * see each other.
   *
   * @throws DuplicateSchemaError if another server has a tenant on the schema
   * @throws DatabaseUnavailableError if a server is away that may have the tenant
   */
  async withPlace<T>(
    { schema, wanted, othersMayBeAway }: WantedPlace,
    work: (server: string | undefined) => Promise<T>,
  ): Promise<T> {
    this.servers.check(wanted);
    const { names } = this.servers;
    if (names.length === 1) return work(names[0]);
    // By name, because processes may list the servers in any order.
    const servers = names.filter((name) => name !== undefined).toSorted((a, b) => (a < b ? -1 : 1));
    // With a name, servers that are away don't matter if the tenant turns out to be there.
    const placement = { schema, servers, mayBeAway: wanted !== undefined, away: [] };
    return this.whileLocked(placement, async (away) =>
      work(
        wanted === undefined
          ? await this.place(schema)
          : await this.placeOn(schema, wanted, othersMayBeAway ? undefined : away),
      ),
    );
  }

  /**
   * Runs `work` with the lock on the placement of a schema. Each server has one, because another call may reach other servers
   * than this one. `work` gets the failures of the servers whose lock it does not have.
   */
  private async whileLocked<T>(
    placement: Placement,
    work: (away: readonly unknown[]) => Promise<T>,
  ): Promise<T> {
    const { schema, mayBeAway, away } = placement;
    const [server, ...servers] = placement.servers;
    if (server === undefined) return work(away);
    const goOn = (failed: readonly unknown[]): Promise<T> =>
      this.whileLocked({ ...placement, servers, away: failed }, work);
    let isReached = false;
    const locked = this.servers.on(server, async (session) => {
      isReached = true;
      await lockTenant(session, { schema: `placement of ${schema}` });
      // A failure here, such as one of placeTenant, does not concern the server that has the lock.
      return Promise.allSettled([goOn(away)]);
    });
    const [outcome] = await locked.catch((error: unknown) => {
      if (isReached || !mayBeAway || !isUnreachable(error)) throw error;
      return Promise.allSettled([goOn([...away, error])]);
    });
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /**
   * The named server, unless another one that can be reached has the schema.
   *
   * @param away - the failures of the servers that must have answered if the named server does not have the schema. Undefined if
   *   none must
   */
  private async placeOn(
    schema: string,
    wanted: string,
    away: readonly unknown[] | undefined,
  ): Promise<string> {
    const needsAll = away !== undefined && away.length === 0;
    const holders = await this.servers.holders(schema, { needsAll, isNew: true });
    const other = holders.find((server) => server !== wanted);
    if (other !== undefined) throw new DuplicateSchemaError(schema, [other, wanted]);
    if (away !== undefined && away.length > 0 && !holders.includes(wanted)) throw away[0];
    return wanted;
  }

  /** The server for a schema: the one that has it, else the chosen one. */
  private async place(schema: string): Promise<string> {
    const [holder, other] = await this.servers.holders(schema, { needsAll: true, isNew: true });
    if (holder !== undefined && other !== undefined)
      throw new DuplicateSchemaError(schema, [holder, other]);
    return holder ?? this.choose(schema);
  }

  private async choose(schema: string): Promise<string> {
    const loads = await this.servers.loads();
    const { placeTenant } = this;
    const [fewest] = loads.toSorted((a, b) => a.tenants - b.tenants);
    const chosen: unknown =
      placeTenant === undefined ? fewest?.server : await placeTenant(schema, loads);
    if (typeof chosen === 'string' && this.servers.names.includes(chosen)) return chosen;
    throw new ConfigurationError([
      `placeTenant(${JSON.stringify(schema)}) must return one of the servers ${listNames(loads.map(({ server }) => server))}, ` +
        `not ${formatValue(chosen)}.`,
    ]);
  }
}
