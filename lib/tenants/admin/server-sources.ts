import type { CloacinaServerOptions } from '../../cloacina.options.js';
import { ConfigurationError } from '../../errors/index.js';
import { atServer, serverProblems } from '../../options/index.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';

/**
 * The connections of the option `servers`, by name.
 *
 * @param caller - for messages
 * @throws ConfigurationError for invalid servers
 */
export function serverSources(
  servers: Readonly<Record<string, CloacinaServerOptions>>,
  caller: 'runDoctorOnServers()',
): ReadonlyMap<string, ConnectionSource> {
  const problems = serverProblems(caller, { servers });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return new Map(
    Object.keys(servers).map((server) => {
      const { databaseUrl, connection } = atServer({ servers }, server);
      return [server, { databaseUrl, connection }];
    }),
  );
}
