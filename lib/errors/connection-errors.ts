import { CloacinaError } from './cloacina-error.js';
import { messageWithoutSecrets } from './without-secrets.js';

/** The database that a connection leads to: the parts of a URL that may be shown. */
export interface DatabasePlace {
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string;
  /** The port of the server. */
  readonly port: number;
  /** The name of the database. */
  readonly database: string;
  /** Its name in the option `servers`. Absent without that option. */
  readonly server?: string | undefined;
}

/** Why the server refused a connection, if waiting does not help. */
export type ConnectionObstacle = 'login' | 'database' | 'privilege' | 'tls';

const ADVICE: Readonly<Record<ConnectionObstacle, (place: DatabasePlace) => string>> = {
  login: () =>
    'Check the user and the password in databaseUrl or connection, and what pg_hba.conf of the server allows.',
  database: ({ database }) =>
    `Create it with CREATE DATABASE "${database.replaceAll('"', '""')}", or correct its name in databaseUrl or connection.`,
  privilege: ({ database }) =>
    `Allow it with GRANT CONNECT ON DATABASE "${database.replaceAll('"', '""')}", or use another login.`,
  tls: () =>
    'Check sslmode and sslrootcert of databaseUrl, or ssl of connection, against what the server offers.',
};

/** `"shop" at db.internal:5432`, and `"shop" of server "eu" at db.internal:5432`. */
export function describePlace({ host, port, database, server }: DatabasePlace): string {
  const shownHost = host.includes(':') ? `[${host}]` : host;
  const of = server === undefined ? '' : ` of server ${JSON.stringify(server)}`;
  return `${JSON.stringify(database)}${of} at ${shownHost}:${port}`;
}

/**
 * The server refused a connection: the login or its password is wrong, the database does not exist, the login may not
 * connect to it, or client and server disagree about TLS. The boot, `CloacinaTenants.add()`, migrators and
 * `CloacinaAdmin` throw it at once, because waiting does not help. The message contains neither the password nor the
 * URL.
 */
export class DatabaseConnectionError extends CloacinaError {
  /** The tenant's name, if the connection was for a tenant. */
  readonly tenant: string | undefined;
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string;
  /** The port of the server. */
  readonly port: number;
  /** The name of the database. */
  readonly database: string;

  constructor(
    facts: {
      readonly tenant?: string | undefined;
      readonly place: DatabasePlace;
      readonly obstacle: ConnectionObstacle;
    },
    options?: ErrorOptions,
  ) {
    const { tenant, place, obstacle } = facts;
    const subject = tenant === undefined ? 'Cannot' : `Tenant ${JSON.stringify(tenant)}: cannot`;
    const why = options?.cause === undefined ? '' : `: ${messageWithoutSecrets(options.cause)}`;
    super(
      'DATABASE_CONNECTION',
      `${subject} connect to database ${describePlace(place)}${why}. ${ADVICE[obstacle](place)}`,
      options,
    );
    this.tenant = tenant;
    this.host = place.host;
    this.port = place.port;
    this.database = place.database;
  }
}
