import { ConfigurationError } from '../../errors/index.js';
import {
  connectionProblems,
  databaseUrl as checkUrl,
  namesServer,
} from '../../options/connection.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';

/**
 * The source of the admin's connection. As for tenants, DATABASE_URL of the environment is the last resort. It is resolved
 * when a call needs it, because most applications never use the admin.
 *
 * @param caller - for messages
 * @throws ConfigurationError if no option names the database, or if a URL is invalid
 */
export function adminSource(
  { databaseUrl, connection }: ConnectionSource,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  caller: 'CloacinaAdmin' | 'runDoctor()' | 'withMigrators()' = 'CloacinaAdmin',
): ConnectionSource {
  const problems = connectionProblems(caller, connection);
  if (problems.length > 0) throw new ConfigurationError(problems);
  const own = namesServer(connection);
  const url = databaseUrl ?? (own ? undefined : environment['DATABASE_URL']);
  if (url === undefined && !own) {
    throw new ConfigurationError([
      `${caller} has no databaseUrl. Give it ${
        caller === 'CloacinaAdmin'
          ? 'to CloacinaModule.forRoot(), to new CloacinaAdmin(),'
          : 'as an option,'
      } or as DATABASE_URL in the environment.`,
    ]);
  }
  const problem = url === undefined ? undefined : checkUrl(url);
  if (problem !== undefined) throw new ConfigurationError([`${caller}: databaseUrl ${problem}.`]);
  return { databaseUrl: url, connection };
}
