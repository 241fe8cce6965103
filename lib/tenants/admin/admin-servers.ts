import type { CloacinaServerOptions } from '../../cloacina.options.js';
import type { PlaceTenant, ServerLoad } from '../../cloacina.callbacks.js';
import {
  ConfigurationError,
  didYouMean,
  DuplicateSchemaError,
  InvalidArgumentError,
  listNames,
  messageWithoutSecrets,
  NotAllowedError,
} from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import { atServer, serverProblems } from '../../options/index.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import { databasePlace } from '../../store/postgres/connections/connection-config.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import type { AdminSession } from './admin-session.js';
import { isUnreachable } from '../hosting/tenant-arrival.js';
import { adminSource } from './admin-source.js';
import { readTenantState } from './tenant-state.js';

/** The servers of an admin, and the choice among them. */
export interface AdminServersOptions extends ConnectionSource {
  /** As the option `servers` of forRoot. Default: one server, that of `databaseUrl`. */
  readonly servers?: Readonly<Record<string, CloacinaServerOptions>>;
  /** Chooses the server of a new tenant. Default: the one with the fewest tenants. */
  readonly placeTenant?: PlaceTenant;
}

/** A server, for people: {@link CloacinaAdmin.listServers}. */
export interface ServerState {
  /** Its name in the option `servers`. Absent without that option. */
  readonly server?: string;
  /** Host, port and name of the database. */
  readonly database: string;
  /** Whether it has answered. */
  readonly isUp: boolean;
  /** Why the server did not answer. */
  readonly error?: string;
  /** The version of the server, such as `17.2`. Absent without an answer, as all below. */
  readonly version?: string;
  /** The number of tenants in its database. */
  readonly tenants?: number;
  /** The size of its database, in bytes. */
  readonly bytes?: number;
  /** The server's limit of connections, and how many are in use now. */
  readonly maxConnections?: number;
  readonly connections?: number;
}

/** Runs `work` on a connection to a server. */
export type OnServer = <T>(
  server: string | undefined,
  work: (session: AdminSession) => Promise<T>,
) => Promise<T>;

interface Facts extends ServerLoad {
  readonly version: string;
  readonly maxConnections: number;
  readonly connections: number;
}

/** The servers on which the calls of an admin work. Without the option `servers`, there is one without a name. */
export class AdminServers {
  /** @throws ConfigurationError for invalid servers */
  constructor(
    private readonly options: AdminServersOptions,
    readonly on: OnServer,
  ) {}

  /** The names. One undefined name without the option `servers`. */
  get names(): readonly (string | undefined)[] {
    const { servers } = this.options;
    if (servers === undefined) return [undefined];
    const problems = serverProblems('CloacinaAdmin', { ...this.connection, servers });
    if (problems.length > 0) throw new ConfigurationError(problems);
    return Object.keys(servers);
  }

  /** The connection to a server. Throws ConfigurationError if no URL or connection is given. */
  source(server: string | undefined): ConnectionSource {
    if (server === undefined) return adminSource(this.connection);
    const { servers } = this.options;
    const { databaseUrl, connection } = atServer({ ...this.connection, servers }, server);
    return adminSource({ databaseUrl, connection }, {});
  }

  /** @throws InvalidArgumentError if the name is not one of the servers */
  check(server: unknown): void {
    const names = this.names.filter((name) => name !== undefined);
    if (server === undefined || (typeof server === 'string' && names.includes(server))) return;
    const hint = typeof server === 'string' ? didYouMean(server, names) : '';
    throw new InvalidArgumentError(
      'server',
      names.length === 0
        ? 'needs the option servers'
        : `must be one of the servers ${listNames(names)}, not ${formatValue(server)}.${hint}`,
    );
  }

  /**
   * The server on which a tenant is. Without `wanted`, each server is asked; the first one if no server has the tenant.
   *
   * @throws DuplicateSchemaError if two of them have the schema
   */
  async find(schema: string, wanted: string | undefined): Promise<string | undefined> {
    this.check(wanted);
    const { names } = this;
    if (wanted !== undefined || names.length === 1) return wanted ?? names[0];
    const [holder, other] = await this.holders(schema, { needsAll: true });
    if (holder !== undefined && other !== undefined)
      throw new DuplicateSchemaError(schema, [holder, other]);
    return holder ?? names[0];
  }

  /**
   * Runs `work` on each server, also on others than the one that a call names.
   *
   * @param wanted - the named server. With it, others that can't be reached are left out
   */
  async onEach(
    wanted: string | undefined,
    work: (session: AdminSession, server: string | undefined) => Promise<void>,
  ): Promise<void> {
    this.check(wanted);
    for (const server of this.names) {
      await this.on(server, (session) => work(session, server)).catch((error: unknown) => {
        if (wanted === undefined || server === wanted || !isUnreachable(error)) throw error;
      });
    }
  }

  /** The state of each server. Rejects for no server that is away. */
  list(): Promise<ServerState[]> {
    return Promise.all(this.names.map((server) => this.stateOf(server)));
  }

  private async stateOf(server: string | undefined): Promise<ServerState> {
    const { host, port, database } = databasePlace(this.source(server));
    const named = {
      ...(server === undefined ? {} : { server }),
      database: `${host}:${port}/${database}`,
    };
    try {
      const { server: _server, ...facts } = await this.factsOf(server);
      return { ...named, isUp: true, ...facts };
    } catch (error) {
      return { ...named, isUp: false, error: messageWithoutSecrets(error) };
    }
  }

  /**
   * The servers on which a tenant of the schema lives, or a part of one is.
   *
   * @param choice.isNew - whether a tenant may be made on a server that has none
   * @throws NotAllowedError for a new tenant if a move of the schema has left the tenant on no server: its data is there
   */
  async holders(
    schema: string,
    { needsAll, isNew = false }: { readonly needsAll: boolean; readonly isNew?: boolean },
  ): Promise<string[]> {
    const looks = await Promise.allSettled(
      this.names.map(async (server) => {
        const { schema: its, login } = await this.on(server, (session) =>
          readTenantState(session, { schema }),
        );
        const hasTables = its?.hasTables === true;
        const livesElsewhere = its?.livesElsewhere === true;
        const isHolder = !livesElsewhere && (hasTables || login !== undefined);
        return { server: server ?? '', livesElsewhere, lives: isHolder && hasTables, isHolder };
      }),
    );
    const failure = looks.find((look) => look.status === 'rejected');
    if (needsAll && failure !== undefined) throw failure.reason;
    const found = looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []));
    const moving = found.filter(({ livesElsewhere }) => livesElsewhere);
    if (isNew && moving.length > 0 && !found.some(({ lives }) => lives)) {
      throw new NotAllowedError(
        `createTenant() of ${JSON.stringify(schema)}`,
        `a move of the tenant is not complete, and its data is on ${listNames(moving.map(({ server }) => server))}`,
        'Complete the move with moveTenant() or finishMove().',
      );
    }
    return found.flatMap(({ server, isHolder }) => (isHolder ? [server] : []));
  }

  /** The tenants and the size of each server. Rejects if one of them is away. */
  loads(): Promise<ServerLoad[]> {
    return Promise.all(
      this.names.map(async (name): Promise<ServerLoad> => {
        const { server, tenants, bytes } = await this.factsOf(name);
        return { server, tenants, bytes };
      }),
    );
  }

  private factsOf(server: string | undefined): Promise<Facts> {
    return this.on(server, async ({ client }) => {
      const { rows } = await client.query<Omit<Facts, 'server' | 'bytes'> & { bytes: string }>(
        `SELECT current_setting('server_version') AS version,
                (SELECT count(*)::integer FROM pg_catalog.pg_class c
                  WHERE c.relname = $1 AND c.relkind IN ('r', 'p')) AS tenants,
                pg_catalog.pg_database_size(current_database())::text AS bytes,
                current_setting('max_connections')::integer AS "maxConnections",
                (SELECT count(*)::integer FROM pg_catalog.pg_stat_activity
                  WHERE backend_type = 'client backend') AS connections`,
        [CLOACINA_MIGRATIONS_TABLE],
      );
      const [facts] = rows;
      if (facts === undefined) throw new Error('The server returned no row.');
      return { ...facts, server: server ?? '', bytes: Number(facts.bytes) };
    });
  }

  private get connection(): ConnectionSource {
    const { databaseUrl, connection } = this.options;
    return { databaseUrl, connection };
  }
}
