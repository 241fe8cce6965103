import pg from 'pg';
import { DatabaseUnavailableError } from '../../errors/index.js';
import { asConnectionError } from '../../store/postgres/connections/connection-obstacle.js';
import {
  connectionConfig,
  databasePlace,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import { destroySocket } from '../../store/postgres/connections/destroy-socket.js';
import { OWN_TYPES } from '../../store/postgres/connections/own-types.js';
import { GONE_CLIENT_SETTINGS } from '../admin/admin-session.js';
import { MOVE_SETTING } from './move-transaction.js';

/** The setting that names the other server to the migrations of the target. See the table `cloacina_tenant`. */
const PEER_SETTING = 'cloacina.peer';

/**
 * Both servers print values alike, because checksums are of their texts. Names resolve to pg_catalog only. Policies are an error
 * instead of a filter. No timeout of the database's settings ends a long copy.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog,pg_temp',
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  row_security: 'off',
  jit: 'off',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  lock_timeout: '60000',
};

const CONNECT_MS = 10_000;
/** After how long without a byte the mover looks whether the host of the server is there, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;

/** What the connections to a server are for. */
export interface SideOfMove {
  /** The name of the server. */
  readonly server: string;
  readonly source: ConnectionSource;
  readonly moveId: string;
  /** The name of the other server. */
  readonly peer: string;
  /** The role whose rights apply: that of the tenant, so that no code of its own runs with more. Default: the login. */
  readonly role?: string | undefined;
}

/** One of the two servers of a move, and the mover's connections to it. */
export class MoveSide {
  constructor(
    private readonly side: SideOfMove,
    private readonly clients = new Set<pg.Client>(),
  ) {}

  get server(): string {
    return this.side.server;
  }

  /** The same server with the rights of a role. Both close together. */
  as(role: string | undefined): MoveSide {
    return new MoveSide({ ...this.side, role }, this.clients);
  }

  /** The settings of a connection that copies rows. */
  config(): pg.ClientConfig {
    return this.configWith(SETTINGS);
  }

  /** The settings of a connection for migrations, which see the settings of the login as at every boot. */
  migrationConfig(): pg.ClientConfig {
    return this.configWith({});
  }

  private configWith(settings: Readonly<Record<string, string>>): pg.ClientConfig {
    const { source, moveId, peer, role } = this.side;
    const given = connectionConfig(source);
    const all = {
      ...settings,
      ...GONE_CLIENT_SETTINGS,
      [MOVE_SETTING]: moveId,
      [PEER_SETTING]: peer,
      ...(role === undefined ? {} : { role }),
    };
    const options = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
    return {
      ...given,
      options: [given.options ?? '', ...options].join(' ').trim(),
      types: OWN_TYPES,
      application_name: 'cloacina-move',
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    };
  }

  /** @throws DatabaseUnavailableError, DatabaseConnectionError if the server can't be reached */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.config());
    // A lost connection also rejects the running statement, which reports the error.
    client.on('error', () => undefined);
    const began = performance.now();
    try {
      await client.connect();
      // Not among the settings above: older servers don't know them.
      await client.query(
        `SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')`,
      );
    } catch (error) {
      destroySocket(client);
      const place = { ...databasePlace(this.side.source), server: this.server };
      const waitedMs = Math.round(performance.now() - began);
      throw (
        asConnectionError(error, place) ??
        new DatabaseUnavailableError({ waitedMs, place }, { cause: error })
      );
    }
    this.clients.add(client);
    return client;
  }

  /** Closes the connections without a message: one may be in the middle of a COPY. The server ends what they were doing. */
  close(): void {
    for (const client of this.clients) destroySocket(client);
    this.clients.clear();
  }
}
