import { isServerName, SERVER_NAME_FORM } from '../errors/server-name.js';
import { UsageError } from './exit-code.js';

/** A database that a command may work on. */
export interface NamedDatabase {
  /** Its name in CLOACINA_SERVERS. Absent if only one database is named, by its URL. */
  readonly server?: string;
  readonly databaseUrl: string;
}

interface Named {
  readonly databaseUrl?: string;
  readonly server?: string;
}

/**
 * The databases that the options and the environment name: that of --database-url, else the servers of CLOACINA_SERVERS or the
 * one of --server, else that of DATABASE_URL.
 *
 * @throws UsageError if none is named, or an unknown server
 */
export function databasesOf(
  { databaseUrl, server }: Named,
  env: Readonly<Record<string, string | undefined>>,
): readonly NamedDatabase[] {
  if (databaseUrl !== undefined && databaseUrl !== '') {
    if (server !== undefined) throw new UsageError('Give --database-url or --server, not both.');
    return [{ databaseUrl }];
  }
  const servers = parseServers(env['CLOACINA_SERVERS'] ?? '');
  if (server !== undefined) {
    const chosen = servers.find((one) => one.server === server);
    if (chosen !== undefined) return [chosen];
    throw new UsageError(
      servers.length === 0
        ? '--server needs CLOACINA_SERVERS in the environment, such as eu=postgres://…,us=postgres://…'
        : `CLOACINA_SERVERS has no server ${JSON.stringify(server)}, but ${servers.map((one) => one.server).join(', ')}.`,
    );
  }
  if (servers.length > 0) return servers;
  const url = env['DATABASE_URL'];
  if (url !== undefined && url !== '') return [{ databaseUrl: url }];
  throw new UsageError(
    'No database is named. Set DATABASE_URL in the environment, or give --database-url. For several servers, set ' +
      'CLOACINA_SERVERS.',
  );
}

/** Reads `eu=postgres://…,us=postgres://…`. The messages contain no URL, because it may contain a password. */
function parseServers(text: string): NamedDatabase[] {
  const parts = text.split(/[,\s]+(?=[^,\s=/:]*=)/).map((part) => part.trim().replace(/,$/, ''));
  const servers = parts.filter((part) => part !== '').map(parseServer);
  const names = servers.map(({ server }) => server);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError(`CLOACINA_SERVERS names the server ${twice} twice.`);
  return servers;
}

function parseServer(part: string, index: number): NamedDatabase {
  const equals = part.indexOf('=');
  const server = part.slice(0, Math.max(0, equals));
  const databaseUrl = part.slice(equals + 1);
  if (equals < 1 || !/^postgres(?:ql)?:/.test(databaseUrl)) {
    throw new UsageError(
      `Server ${index + 1} of CLOACINA_SERVERS must be a name, "=" and a URL, such as eu=postgres://…`,
    );
  }
  if (!isServerName(server)) {
    throw new UsageError(
      `The name of server ${index + 1} of CLOACINA_SERVERS ${SERVER_NAME_FORM}.`,
    );
  }
  return { server, databaseUrl };
}
