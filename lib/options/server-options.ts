import type { CloacinaServerOptions, CloacinaSharedOptions } from '../cloacina.options.js';
import {
  anything,
  checkOptions,
  flag,
  formatValue,
  wholeNumber,
  type Checks,
} from '../errors/option-checks.js';
import { didYouMean, listNames } from '../errors/index.js';
import { databaseKey } from '../store/postgres/connections/connection-config.js';
import { connectionProblems, databaseUrl, mergeConnections, namesServer } from './connection.js';
import { MIN_POOL_SIZE } from './defaults.js';
import { isServerName, SERVER_NAME_FORM } from '../errors/server-name.js';

const SERVER_CHECKS: Checks<CloacinaServerOptions> = {
  databaseUrl,
  connection: anything,
  controlUrl: databaseUrl,
  controlConnection: flag,
  poolSize: wholeNumber(MIN_POOL_SIZE),
};

/** Options of forRoot that name the only server, so they exclude `servers`. */
const OF_ONE_SERVER = ['databaseUrl', 'controlUrl'] as const;

/** The problems of the options `servers` and `requireAll` of `forRoot`, as sentences. */
export function serverProblems(owner: string, options: CloacinaSharedOptions): string[] {
  const { servers, requireAll } = options ?? {};
  if (servers === undefined) {
    return requireAll === undefined
      ? []
      : [`${owner}: requireAll needs servers. Without them, a boot always needs its database.`];
  }
  if (typeof servers !== 'object' || servers === null || Array.isArray(servers)) {
    // Without the value, which may contain URLs.
    return [`${owner}: servers must be an object of servers by name.`];
  }
  const all = Object.entries(servers);
  if (all.length === 0) {
    return [`${owner}: servers is empty. Name at least one server, or use databaseUrl.`];
  }
  const problems = OF_ONE_SERVER.filter((name) => options[name] !== undefined).map(
    (name) => `${owner}: servers and ${name} exclude each other. Give each server its ${name}.`,
  );
  if (namesServer(options.connection)) {
    problems.push(
      `${owner}: servers excludes a connection that names a host, a database or a URL. Name them for each server.`,
    );
  }
  for (const [name, server] of all) problems.push(...problemsOf(owner, name, server));
  if (problems.length > 0) return problems;
  return [...similarNames(owner, Object.keys(servers)), ...sameDatabases(owner, options)];
}

function problemsOf(owner: string, name: string, server: unknown): string[] {
  if (!isServerName(name)) {
    return [`${owner}: the name of server ${formatValue(name)} ${SERVER_NAME_FORM}.`];
  }
  const whose = `${owner}, servers.${name}`;
  if (typeof server === 'string') {
    return [`${whose}: the options must be an object. Give the URL as its databaseUrl.`];
  }
  const problems = checkOptions(whose, server, SERVER_CHECKS);
  if (problems.length > 0) return problems;
  const { databaseUrl: url, connection } = server as CloacinaServerOptions;
  problems.push(...connectionProblems(whose, connection));
  if (problems.length === 0 && url === undefined && !namesServer(connection)) {
    problems.push(`${whose}: there is no databaseUrl.`);
  }
  return problems;
}

function similarNames(owner: string, names: readonly string[]): string[] {
  return names.flatMap((name, i) => {
    const same = names.slice(0, i).find((one) => one.toLowerCase() === name.toLowerCase());
    return same === undefined
      ? []
      : [`${owner}: the servers ${listNames([same, name])} differ only in case. Rename one.`];
  });
}

/** Two names of one database would be two groups of connections for the same tenants. */
function sameDatabases(owner: string, options: CloacinaSharedOptions): string[] {
  const names = Object.keys(options.servers ?? {});
  const keys = names.map((name) => databaseKey(atServer(options, name)));
  return names.flatMap((name, i) => {
    const same = names[keys.indexOf(keys[i] ?? '')];
    return same === undefined || same === name
      ? []
      : [`${owner}: the servers ${listNames([same, name])} are one database. Remove one of them.`];
  });
}

/** The options of forRoot, with the connection of one of its servers in place of the only one. */
export function atServer(shared: CloacinaSharedOptions, name: string): CloacinaSharedOptions {
  const server = shared.servers?.[name] ?? {};
  const { databaseUrl: url, connection, controlUrl, controlConnection, poolSize } = server;
  const { servers: _servers, requireAll: _requireAll, ...rest } = shared;
  return {
    ...rest,
    databaseUrl: url,
    connection: mergeConnections(shared.connection, connection, true),
    controlUrl,
    ...(controlConnection === undefined ? {} : { controlConnection }),
    ...(poolSize === undefined ? {} : { poolSize }),
  };
}

/** The server of a tenant, and the defaults for tenants there. A sentence if the choice is not clear. */
export function serverFor(
  options: {
    readonly server?: unknown;
    readonly databaseUrl?: unknown;
    readonly connection?: unknown;
  },
  shared: CloacinaSharedOptions,
): { readonly server?: string; readonly shared: CloacinaSharedOptions } | string {
  const names = Object.keys(shared.servers ?? {});
  const { server } = options;
  if (server === undefined) {
    const [only, ...others] = names;
    if (only === undefined) return { shared };
    const own = options as CloacinaSharedOptions;
    if (own.databaseUrl !== undefined || namesServer(own.connection)) {
      // The login of a tenant on one of the servers, or another database.
      const key = databaseKey(own);
      const its = names.find((name) => databaseKey(atServer(shared, name)) === key);
      const { servers: _servers, requireAll: _requireAll, ...rest } = shared;
      return its === undefined ? { shared: rest } : { server: its, shared: atServer(shared, its) };
    }
    if (others.length > 0) return ` names no server. Set server to one of ${listNames(names)}.`;
    return { server: only, shared: atServer(shared, only) };
  }
  if (names.length === 0) return `: server needs the option servers of CloacinaModule.forRoot().`;
  if (typeof server !== 'string' || !names.includes(server)) {
    const hint = typeof server === 'string' ? didYouMean(server, names) : '';
    return `: server ${formatValue(server)} is not one of the servers ${listNames(names)}.${hint}`;
  }
  return { server, shared: atServer(shared, server) };
}

/** The problem of a tenant's own URL that leads to another database than its server. */
export function strayProblem(
  server: string,
  shared: CloacinaSharedOptions,
  own: CloacinaSharedOptions,
): string | undefined {
  if (own.databaseUrl === undefined && !namesServer(own.connection)) return undefined;
  if (databaseKey(own) === databaseKey(shared)) return undefined;
  return `its own databaseUrl leads to another database than server ${JSON.stringify(server)}. Remove one of them.`;
}
