import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { DataSourceOptions } from 'typeorm';
import {
  ConfigurationError,
  messageWithoutSecrets,
  type DatabasePlace,
} from '../../../errors/index.js';
import { takePlaceApart, takeUrlApart } from './connection-url.js';

/** TypeORM's options for PostgreSQL. */
export type PostgresConnectionOptions = Extract<DataSourceOptions, { type: 'postgres' }>;
type Environment = Readonly<Record<string, string | undefined>>;

/** The application's settings for a tenant's database: a URL, TypeORM's options, or both. */
export interface ConnectionSource {
  /** A URL such as `postgres://user:password@host:5432/database`. Default: the environment variable `DATABASE_URL`. */
  readonly databaseUrl?: string | undefined;
  /** TypeORM's options, in place of the URL or in addition to it. They come before the settings of the URL. */
  readonly connection?: Partial<PostgresConnectionOptions> | undefined;
}

/** A source with the URL of the control connection: a direct one if `databaseUrl` leads to a pooler. */
export interface ControlledSource extends ConnectionSource {
  readonly controlUrl?: string | undefined;
}

/**
 * Session settings that the driver would send as separate startup parameters. The server lets these win over `options`,
 * which contains the library's settings. So they are put at the front of `options` instead.
 */
const SESSION_SETTINGS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
] as const;

/** URL parameters that are passed to the driver unchanged. */
const DRIVER_PARAMETERS = ['sslnegotiation', 'query_timeout'] as const;

/**
 * Properties of `extra` that are ignored. A URL would win over everything else. The library requires text results, UTF-8,
 * and its own connection names.
 */
const NOT_FROM_EXTRA = [
  'connectionString',
  'binary',
  'client_encoding',
  'replication',
  'application_name',
  'fallback_application_name',
] as const;

/**
 * The driver's settings, without a URL. For each setting the first of these sources wins: `connection`, its `extra`, the
 * URL, the environment's PG variables (which the driver reads itself). `options` of several sources are concatenated,
 * because each may set something else. If two set the same parameter, the server uses the later one.
 *
 * @throws ConfigurationError if the TLS files that a URL names can't be read
 */
export function connectionConfig(
  { databaseUrl, connection = {} }: ConnectionSource,
  environment: Environment = process.env,
): pg.ClientConfig {
  const url = connection.url ?? databaseUrl;
  return joined(url === undefined ? {} : configOfUrl(url), configBeside(connection), environment);
}

/**
 * The settings of the control connection. `controlUrl` is another route to the same database. Settings of `connection`
 * that the URL omits (`ssl`, a password function) apply to both routes.
 */
export function controlConfig(
  { controlUrl, ...source }: ControlledSource,
  environment: Environment = process.env,
): pg.ClientConfig {
  if (controlUrl === undefined) return connectionConfig(source, environment);
  const { host: _host, port: _port, ...beside } = configBeside(source.connection ?? {});
  return joined(beside, configOfUrl(controlUrl), environment);
}

/** Merges two settings. `later` wins, except for `options`, which are appended to those of the environment. */
function joined(
  earlier: pg.ClientConfig,
  later: pg.ClientConfig,
  environment: Environment,
): pg.ClientConfig {
  const options = [environment['PGOPTIONS'], earlier.options, later.options]
    .filter((text) => text !== undefined && text.trim() !== '')
    .join(' ');
  return { ...earlier, ...later, ...(options === '' ? {} : { options }) };
}

function configOfUrl(url: string): pg.ClientConfig {
  const { parameters, ...parts } = readUrl(url);
  const config: Record<string, unknown> = { ...parts };
  for (const name of DRIVER_PARAMETERS) config[name] = parameters[name];
  config['options'] = withSessionSettings(parameters);
  return defined(config);
}

function readUrl(url: string): ReturnType<typeof takeUrlApart> {
  try {
    return takeUrlApart(url);
  } catch (error) {
    throw new ConfigurationError([
      `A database URL can't be used: ${messageWithoutSecrets(error)}. Its TLS parameters must name files that this process can read.`,
    ]);
  }
}

/** The settings of TypeORM's options. */
function configBeside(connection: Partial<PostgresConnectionOptions>): pg.ClientConfig {
  const { host, port, username, password, database } = connection;
  const ssl = copyOfTls(connection.ssl);
  const extra: Record<string, unknown> = { ...(connection.extra as object | undefined) };
  const options = withSessionSettings(extra);
  for (const name of [...NOT_FROM_EXTRA, ...SESSION_SETTINGS]) delete extra[name];
  const beside = defined({ host, port, user: username, password, database, ssl, options });
  if (extra['ssl'] !== undefined) extra['ssl'] = copyOfTls(extra['ssl']);
  const config: pg.ClientConfig = { ...defined(extra), ...beside };
  if (config.host !== undefined) config.host = withoutBrackets(config.host);
  if (config.port !== undefined) config.port = Number(config.port);
  return config;
}

/**
 * Copies TLS options, because the driver hides `key` in the object that it gets, where the next tenant would miss it.
 */
function copyOfTls(ssl: unknown): pg.ClientConfig['ssl'] {
  if (typeof ssl !== 'object' || ssl === null) return ssl as boolean | undefined;
  const key: unknown = Reflect.get(ssl, 'key');
  return { ...ssl, ...(key === undefined ? {} : { key }) } as pg.ClientConfig['ssl'];
}

/** A host can be a socket's folder, a name or an address. An IPv6 address has brackets only in a URL. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.+)\]$/, '$1');
}

/** `options` followed by the separate session settings, which therefore win. */
function withSessionSettings(values: Readonly<Record<string, unknown>>): string | undefined {
  const settings = SESSION_SETTINGS.flatMap((name) => {
    const value = values[name];
    if (typeof value !== 'number' && (typeof value !== 'string' || value === '')) return [];
    return [`-c ${name}=${String(value).replaceAll(/[\\\s]/g, String.raw`\$&`)}`];
  });
  const own = values['options'];
  const all = [...(typeof own === 'string' && own.trim() !== '' ? [own] : []), ...settings];
  return all.length === 0 ? undefined : all.join(' ');
}

function defined<T extends object>(values: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  const entries = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return Object.fromEntries(entries) as Partial<{ [K in keyof T]: NonNullable<T[K]> }>;
}

/**
 * The application's name for its connections, which the library can't use: other processes find the connections of a
 * process by the name that the library sets.
 */
export function unusedApplicationName(
  { databaseUrl, connection = {} }: ConnectionSource,
  environment: Environment = process.env,
): string | undefined {
  const url = connection.url ?? databaseUrl;
  const extra: unknown = connection.extra?.application_name;
  const ofUrl: unknown =
    url === undefined ? undefined : takePlaceApart(url).parameters['application_name'];
  const names = [connection.applicationName, extra, ofUrl, environment['PGAPPNAME']];
  return names.find((name): name is string => typeof name === 'string' && name !== '');
}

/** The database that a source leads to, with defaults from the environment. */
export function databasePlace(
  source: ConnectionSource,
  environment: Environment = process.env,
): DatabasePlace {
  const { databaseUrl, connection = {} } = source;
  const url = connection.url ?? databaseUrl;
  return placeOf(
    { ...(url === undefined ? {} : takePlaceApart(url)), ...configBeside(connection) },
    environment,
  );
}

/** The database that the driver connects to with these settings. */
export function placeOf(
  config: Pick<pg.ClientConfig, 'host' | 'port' | 'user' | 'database'>,
  environment: Environment = process.env,
): DatabasePlace {
  const host = config.host ?? environment['PGHOST'] ?? 'localhost';
  const port = config.port ?? environment['PGPORT'] ?? 5432;
  // PostgreSQL uses the user's name as the default database.
  const user = config.user ?? environment['PGUSER'] ?? environment['USER'] ?? '';
  const database = config.database ?? environment['PGDATABASE'] ?? user;
  return { host, port: Number(port), database };
}

/**
 * Identifies a source's database for comparison: host, port and database, without user and secrets. Two different keys may
 * still be the same database (`localhost` and `127.0.0.1`).
 */
export function databaseKey(source: ConnectionSource, environment?: Environment): string {
  const { host, port, database } = databasePlace(source, environment);
  return `${host.toLowerCase()}:${port}/${database}`;
}

/** Equal for tenants that can share connections. A hash, so that it reveals no secret in a log. */
export function loginKey(source: ControlledSource): string {
  const text = JSON.stringify(
    [connectionConfig(source), controlConfig(source)],
    (_, value: unknown) => (typeof value === 'function' ? String(value) : value),
  );
  return createHash('sha256').update(text).digest('hex');
}
