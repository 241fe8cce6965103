import { NotAllowedError } from '../../errors/index.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { SqlState, sqlState } from '../../store/postgres/sql-state.js';
import { readRefusal } from '../moving/schema-places.js';
import { copyTenantRow, type KnownRow } from '../moving/tenant-places.js';
import type { TenantState } from '../moving/move-state.js';
import { joinRole, type AdminSession } from './admin-session.js';
import { readTenantState } from './tenant-state.js';

/** A lock timeout, and a cancelled statement: they say nothing of the row. */
const ANOTHER_TRY = new Set<string>([SqlState.lockNotAvailable, SqlState.queryCancelled]);

/**
 * Checks that no move of a tenant has begun on this server and is not finished: a removal would drop one half of the tenant, or the
 * only one that is whole.
 *
 * @param server - the name of the session's server
 * @throws NotAllowedError
 */
export async function assertNotMoving(
  session: AdminSession,
  schema: string,
  server: string | undefined,
): Promise<void> {
  const refusal = await readRefusal(session.client, schema);
  // A tenant may have put anything in place of its row, and that does not keep it from being removed.
  const row = await readRow(session, schema).catch((error: unknown) => {
    if (isAway(error) || ANOTHER_TRY.has(sqlState(error) ?? '')) throw error;
    return undefined;
  });
  const state = refusal?.state ?? row?.state ?? 'live';
  if (state === 'live') return;
  const here = server === undefined ? 'this server' : `server ${JSON.stringify(server)}`;
  const peer = `server ${JSON.stringify(refusal?.peer ?? row?.peer ?? '')}`;
  throw new NotAllowedError(
    `removeTenant() of ${JSON.stringify(schema)}`,
    SAYS[state](here, peer),
    'Call finishMove() first: it completes a move, or undoes one that was interrupted before its switch. To remove the tenant with all ' +
      'that the move has made, give the option duringMove.',
  );
}

async function readRow(session: AdminSession, schema: string): Promise<KnownRow | undefined> {
  const { login } = await readTenantState(session, { schema });
  if (login !== undefined) await joinRole(session, login.name);
  return copyTenantRow(session.client, schema);
}

const SAYS: Readonly<Record<Exclude<TenantState, 'live'>, (here: string, peer: string) => string>> =
  {
    copying: (here, peer) => `its move from ${here} to ${peer} goes on or was interrupted`,
    stopping: (here, peer) => `its move from ${here} to ${peer} goes on or was interrupted`,
    arriving: (here, peer) => `${here} has a copy that is not complete, of a move from ${peer}`,
    moved: (here, peer) => `it has moved to ${peer}, and ${here} still has the old copy`,
  };
