import type { CloacinaAdmin, ListedTenant } from '../index.js';
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

/**
 * Lists the tenants of all databases that answer. One admin asks them all, because whether a move was interrupted is known only with
 * both of its servers.
 *
 * @throws the failure of the first one, if none answers, or if it is not for a lack of an answer
 */
export async function reachableTenants(
  admin: Pick<CloacinaAdmin, 'listTenants'>,
): Promise<ReachableTenants> {
  const away: AwayServer[] = [];
  const tenants = await admin.listTenants({
    onAway: (server, error) => away.push({ server, error: errorDocument(error) }),
  });
  return { tenants, away };
}
