import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { DataSourceOptions } from 'typeorm';

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;
type PgSsl = pg.ClientConfig['ssl'];

/** How a tenant's database is reached, as the application said it: a URL, TypeORM's options, or both. */
export interface ConnectionSource {
  readonly databaseUrl?: string | undefined;
  readonly connection?: Partial<PostgresOptions> | undefined;
}

/** The driver's settings. What the options say is taken before what the URL says. */
export function connectionConfig({
  databaseUrl,
  connection = {},
}: ConnectionSource): pg.ClientConfig {
  const { host, port, username, password, database, ssl, extra, url } = connection;
  const connectionString = url ?? databaseUrl;
  const config: pg.ClientConfig = {
    ...(extra as pg.ClientConfig | undefined),
    ...defined<pg.ClientConfig>({
      connectionString,
      host,
      port,
      user: username,
      password: password,
      database,
      ssl: ssl as PgSsl,
    }),
  };
  // The driver lets the URL win over what stands beside it. Here it is the other way round.
  if (
    config.connectionString !== undefined &&
    (host ?? port ?? username ?? password ?? database) !== undefined
  ) {
    return { ...config, ...fromUrl(config.connectionString, connection) };
  }
  return config;
}

function fromUrl(connectionString: string, beside: Partial<PostgresOptions>): pg.ClientConfig {
  const url = new URL(connectionString);
  if (typeof beside.host === 'string') url.hostname = beside.host;
  if (beside.port !== undefined) url.port = String(beside.port);
  if (beside.username !== undefined) url.username = encodeURIComponent(beside.username);
  if (typeof beside.password === 'string') url.password = encodeURIComponent(beside.password);
  if (beside.database !== undefined) url.pathname = `/${encodeURIComponent(beside.database)}`;
  const config: pg.ClientConfig = { connectionString: url.href };
  if (typeof beside.password === 'function') {
    url.password = '';
    return { connectionString: url.href, password: beside.password };
  }
  return config;
}

function defined<T extends object>(values: { [K in keyof T]?: T[K] | undefined }): Partial<T> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}

/** Equal for tenants that can share their connections; a hash, so that it may stand in a log. */
export function loginKey(
  source: ConnectionSource & { readonly controlUrl?: string | undefined },
): string {
  const { databaseUrl, connection = {}, controlUrl } = source;
  const { host, port, username, password, database, ssl, extra, url } = connection;
  const parts = [
    databaseUrl,
    controlUrl,
    host,
    port,
    username,
    password,
    database,
    ssl,
    extra,
    url,
  ];
  const text = JSON.stringify(parts, (_, value: unknown) =>
    typeof value === 'function' ? String(value) : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
