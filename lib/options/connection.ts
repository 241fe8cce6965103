import type { PostgresConnectionOptions } from '../cloacina.options.js';
import {
  anything,
  checkOptions,
  formatValue,
  wholeNumber,
  type Check,
  type Checks,
} from '../errors/option-checks.js';
import { urlProblem } from '../store/postgres/connections/connection-url.js';

/** Options that select a server or database; any of them replaces an inherited URL. */
const SERVER_OPTIONS = ['url', 'host', 'database', 'replication'] as const;
/** Options that belong to a server: they are meaningless without it. */
const LOGIN_OPTIONS = ['port', 'username', 'password'] as const;

type Connection = Partial<PostgresConnectionOptions>;

/** Checks that the driver can read a URL. The problem does not quote the URL, which may contain a password. */
export const databaseUrl: Check = urlProblem;

/** Rejects an option with the reason. Accepts values that ask for nothing, such as `synchronize: false`. */
function refused(reason: string, ...asksForNothing: readonly unknown[]): Check {
  const nothing = new Set<unknown>([false, null, '', ...asksForNothing]);
  return (value) =>
    nothing.has(value) || (Array.isArray(value) && value.length === 0)
      ? undefined
      : `can't be used: ${reason}`;
}

const string: Check = (value) =>
  value === null || typeof value === 'string' ? undefined : 'must be a string';

/** Accepts digits in a string too, because environment variables are strings. */
const port: Check = (value) => {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return wholeNumber(1, 65_535)(number);
};

const host: Check = (value) =>
  typeof value === 'string' && value.includes(',')
    ? 'names several hosts, and the driver connects to one only; name what leads to the primary'
    : string(value);

const password: Check = (value) =>
  typeof value === 'function' ? undefined : string(value) && 'must be a string or a function';

const object: Check = (value) =>
  value === null || (typeof value === 'object' && !Array.isArray(value))
    ? undefined
    : `must be an object, not ${formatValue(value)}`;

const ssl: Check = (value) => (typeof value === 'boolean' ? undefined : object(value));

/** Options that are passed to the driver. A URL among them would win over all other options. */
const driverOptions: Check = (value) => {
  const problem = object(value);
  if (problem !== undefined) return problem;
  return Reflect.get(Object(value), 'connectionString') === undefined
    ? undefined
    : 'may not have a "connectionString"; use "url" in its place, or the option "databaseUrl"';
};

const OF_NEST = 'it is an option of TypeOrmModule, which the library does not use to connect';

/** A check for each of TypeORM's options: how the library uses it, or why it can't. */
const CONNECTION_CHECKS: Readonly<Record<string, Check>> & Checks<Omit<Connection, 'name'>> = {
  type: (value) => (value === 'postgres' ? undefined : 'must be "postgres"'),
  url: databaseUrl,
  host,
  port,
  username: string,
  password,
  database: string,
  ssl,
  extra: driverOptions,
  applicationName: string,
  entitySkipConstructor: anything,
  invalidWhereValuesBehavior: anything,
  isolateWhereStatements: anything,
  logger: anything,
  logging: anything,
  maxQueryExecutionTime: anything,
  metadataTableName: anything,
  namingStrategy: anything,
  relationLoadStrategy: anything,
  subscribers: anything,
  uuidExtension: anything,
  schema: refused('the schema is the tenant\'s; use the option "schema"'),
  entities: refused('use the option "entities"'),
  migrations: refused('use the option "migrations"'),
  migrationsRun: refused('use the option "migrate", which is true by default'),
  migrationsTableName: refused('each schema has a history of its own'),
  migrationsTransactionMode: refused('migrations of a schema run in one transaction', 'all'),
  synchronize: refused('tables are changed by migrations only'),
  dropSchema: refused('only CloacinaAdmin drops anything'),
  entityPrefix: refused("it would rename the library's tables"),
  driver: refused('tenants share a pool that the library makes'),
  nativeDriver: refused('tenants share a pool that the library makes'),
  poolSize: refused('use the option "poolSize" beside it'),
  poolErrorHandler: refused('the library handles broken connections itself'),
  connectTimeoutMS: refused('the library waits 10 s for a connection and tries again'),
  logNotifications: refused('the library has a connection of its own for notifications'),
  installExtensions: refused('the library needs no extensions; install yours in a migration'),
  extensions: refused('install them in a migration'),
  parseInt8: refused('it changes the whole process'),
  useUTC: refused('it changes the whole process'),
  isolationLevel: refused(
    'the library relies on READ COMMITTED; give the level to transaction()',
    'READ COMMITTED',
  ),
  replication: refused(
    'the library reads its own writes, so it needs the primary; name the primary',
  ),
  cache: refused('cached rows would be out of date, and its table is in no migration'),
  typename: refused('it is an option of other databases'),
  // The driver's own names.
  user: refused('TypeORM\'s name for it is "username"'),
  connectionString: refused('TypeORM\'s name for it is "url"'),
  options: refused('give it in "extra", or as a parameter of the URL'),
  // Options that people copy from elsewhere: older releases of TypeORM, and @nestjs/typeorm.
  name: refused('the data source has the name of the tenant; use the option "tenant"', 'default'),
  autoLoadEntities: refused('use the option "entities"'),
  retryAttempts: refused(OF_NEST),
  retryDelay: refused(OF_NEST),
  toRetry: refused(OF_NEST),
  verboseRetryLog: refused(OF_NEST),
  keepConnectionAlive: refused(OF_NEST),
  manualInitialization: refused(OF_NEST),
  dataSourceFactory: refused(OF_NEST),
};

/** Checks TypeORM's options, of which the library can't use all. Returns one sentence for each problem. */
export function connectionProblems(owner: string, connection: unknown): string[] {
  return connection === undefined
    ? []
    : checkOptions(`${owner}, connection`, connection, CONNECTION_CHECKS);
}

/** Whether the options select a server by themselves. */
export function namesServer(connection: Connection | undefined): boolean {
  return SERVER_OPTIONS.some((name) => connection?.[name] !== undefined);
}

/**
 * Merges the tenant's options over those of forRoot. If the tenant names a server, forRoot's server and login are
 * dropped.
 */
export function mergeConnections(
  shared: Connection | undefined,
  own: Connection | undefined,
  ownServer: boolean,
): Connection {
  const inherited: Connection = { ...shared };
  if (ownServer) {
    for (const name of [...SERVER_OPTIONS, ...LOGIN_OPTIONS]) delete inherited[name];
  }
  const extra: unknown = { ...inherited.extra, ...own?.extra };
  const both = inherited.extra !== undefined && own?.extra !== undefined;
  return { ...inherited, ...own, ...(both ? { extra } : {}) };
}
