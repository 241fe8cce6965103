import type { CloacinaAdmin, ListedTenant } from '../index.js';
import { CloacinaError } from '../errors/cloacina-error.js';
import type { NamedDatabase } from './databases.js';
import { errorDocument, type ErrorDocument } from './failure.js';

/** A server that could not be reached. */
export interface AwayServer {
  readonly server: string;
  readonly error: ErrorDocument;
}

/** The tenants on the servers that answer, and the servers that do not. */
export interface ReachableTenants {
  readonly tenants: readonly ListedTenant[];
  readonly away: readonly AwayServer[];
}

/** Codes of the library that say that a server can't be reached, or refuses the connection. */
const AWAY_CODES = new Set<string>(['DATABASE_UNAVAILABLE', 'DATABASE_CONNECTION']);

/**
 * Lists the tenants of all databases that answer.
 *
 * @param adminOf - makes the admin of one of them
 * @throws the failure of the first one, if none answers, or if it is not for a lack of an answer
 */
export async function reachableTenants(
  databases: readonly NamedDatabase[],
  adminOf: (database: NamedDatabase) => Promise<CloacinaAdmin>,
): Promise<ReachableTenants> {
  const lists = await Promise.allSettled(
    databases.map(async (database) => (await adminOf(database)).listTenants()),
  );
  const tenants: ListedTenant[] = [];
  const away: AwayServer[] = [];
  const failures: unknown[] = [];
  for (const [i, list] of lists.entries()) {
    if (list.status === 'fulfilled') {
      tenants.push(...list.value);
      continue;
    }
    const error: unknown = list.reason;
    if (!(error instanceof CloacinaError && AWAY_CODES.has(error.code))) throw error;
    failures.push(error);
    away.push({ server: databases[i]?.server ?? '', error: errorDocument(error) });
  }
  if (failures.length === databases.length) throw failures[0];
  return { tenants, away };
}
