import type { PostgresConnectionOptions } from '../cloacina.options.js';
import type { Check } from '../errors/option-checks.js';

/** Options of a connection that say which server or database it leads to; one of them stands instead of a URL. */
const SERVER_OPTIONS = ['url', 'host', 'database', 'replication'] as const;
/** Those that go with them: without their server they mean nothing. */
const LOGIN_OPTIONS = ['port', 'username', 'password'] as const;

/** What would change tables behind the migrations, or is the library's or another option's business. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['schema', 'the schema is the tenant\'s: use the option "schema"'],
  ['entities', 'use the option "entities"'],
  ['migrations', 'use the option "migrations"'],
  ['migrationsRun', 'migrations always run when the tenant is opened'],
  ['migrationsTableName', 'each schema has a history of its own'],
  ['migrationsTransactionMode', 'migrations run in one transaction'],
  ['synchronize', 'tables are changed by migrations only'],
  ['dropSchema', 'nothing is dropped but by CloacinaAdmin'],
  ['entityPrefix', "it would rename the library's tables"],
  ['driver', 'tenants share a pool that the library makes'],
  ['poolSize', 'use the option "poolSize" beside it'],
  ['installExtensions', 'the library needs no extensions; install yours in a migration'],
  ['parseInt8', 'it changes the whole process'],
  ['useUTC', 'it changes the whole process'],
]);

type Connection = Partial<PostgresConnectionOptions>;

/** A URL that pg can read, without showing it. */
export const databaseUrl: Check = (value) => {
  if (typeof value !== 'string' || value.trim() === '')
    return 'must be a URL such as postgres://user:password@host:5432/database';
  if (!/^postgres(ql)?:\/\//i.test(value)) return 'must begin with postgres:// or postgresql://';
  if (parseUrl(value) !== undefined) return undefined;
  return 'is not a URL that can be read (it is not shown here); encode the characters of its password with encodeURIComponent()';
};

/** TypeORM's options, without those that the library refuses. */
export const connectionOptions: Check = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return "must be an object of TypeORM's options for PostgreSQL";
  }
  const names = Object.keys(value).filter((name) => Reflect.get(value, name) !== undefined);
  const type: unknown = Reflect.get(value, 'type');
  const problems = names.flatMap((name) => {
    const reason = REFUSED.get(name);
    return reason === undefined ? [] : [`may not have ${JSON.stringify(name)} (${reason})`];
  });
  if (type !== undefined && type !== 'postgres') problems.push('must be of type "postgres"');
  const url: unknown = Reflect.get(value, 'url');
  const urlProblem = url === undefined ? undefined : databaseUrl(url);
  if (urlProblem !== undefined) problems.push(`has a url which ${urlProblem}`);
  return problems.length === 0 ? undefined : problems.join(', and ');
};

/** Reads what pg reads: with a host, or without one for a Unix socket (`postgres://user:secret@/db?host=/run`). */
export function parseUrl(text: string): URL | undefined {
  try {
    const url = new URL(text.replace(/@\//, '@socket/'));
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
    return url;
  } catch {
    return undefined;
  }
}

/** Whether the options lead to a server by themselves. */
export function namesServer(connection: Connection | undefined): boolean {
  return SERVER_OPTIONS.some((name) => connection?.[name] !== undefined);
}

/** The tenant's options over those of forRoot. What forRoot says of a server is dropped where the tenant names its own. */
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

/**
 * Which database options lead to, as text to compare: host, port and database, without user and secrets. Two texts
 * that differ may still be one database (`localhost` and `127.0.0.1`).
 */
export function databaseKey(url: string | undefined, connection: Connection): string {
  const text = connection.url ?? url;
  const parsed = text === undefined ? undefined : parseUrl(text);
  const parameters = parsed?.searchParams;
  const host = connection.host ?? parameters?.get('host') ?? parsed?.hostname ?? 'localhost';
  const port = connection.port ?? parameters?.get('port') ?? (parsed?.port || '5432');
  const user = connection.username ?? decodeURIComponent(parsed?.username ?? '');
  // PostgreSQL takes the user's name where none is given.
  const database =
    connection.database ?? (decodeURIComponent(parsed?.pathname.slice(1) ?? '') || user);
  return `${host.toLowerCase()}:${port}/${database}`;
}
