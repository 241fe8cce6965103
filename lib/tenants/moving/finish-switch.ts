import type pg from 'pg';
import { MoveFailedError, MoveNotPossibleError, type MovePlaces } from '../../errors/index.js';
import { inAdminSession, joinRole } from '../admin/admin-session.js';
import { readTenantState } from '../admin/tenant-state.js';
import { MoveSide } from './move-side.js';
import { holdMoveLock, makeLive, undoMove } from './move-state.js';
import { validateForeignKeys } from './target-schema.js';
import type { MoveServers, TenantPlace } from './tenant-places.js';

/** Makes the target of a move live whose source has given the tenant away. */
export async function finishSwitch(
  servers: MoveServers,
  schema: string,
  moved: TenantPlace,
): Promise<void> {
  await withSides(servers, schema, moved, async ({ from, to, moveId }) => {
    const places = { schema, from: from.server, to: to.server };
    const control = await from.connect();
    await holdLock(control, places);
    const target = await to.connect();
    if (!(await makeLive(target, { schema, moveId, peer: from.server }))) {
      throw new MoveFailedError(places, {
        why: `server ${JSON.stringify(to.server)} has no copy of this move`,
        isUndone: false,
        instead: 'Restore it there from a backup. The old server still has all data.',
      });
    }
    await validateForeignKeys(control, target, schema);
  });
}

/** Validates what the mover has not, if it died after the switch. */
export function validateMoved(
  servers: MoveServers,
  schema: string,
  moved: TenantPlace,
): Promise<void> {
  return withSides(servers, schema, moved, async ({ from, to }) =>
    validateForeignKeys(await from.connect(), await to.connect(), schema),
  );
}

/**
 * Undoes a move whose mover is gone before the switch: its source lives on.
 *
 * @returns false if a mover holds the lock
 */
export async function undoInterrupted(
  servers: MoveServers,
  schema: string,
  { server, row: { moveId, peer } }: TenantPlace,
): Promise<boolean> {
  if (moveId === null || peer === null) return false;
  const role = await joinLogin(servers, server, schema);
  const side = new MoveSide({ server, source: servers.source(server), moveId, peer, role });
  try {
    const control = await side.connect();
    if (!(await holdMoveLock(control, schema))) return false;
    await undoMove(control, { schema, moveId, peer });
    return true;
  } finally {
    side.close();
  }
}

/** @throws MoveNotPossibleError if another mover holds the lock */
export async function holdLock(control: pg.ClientBase, places: MovePlaces): Promise<void> {
  if (await holdMoveLock(control, places.schema)) return;
  throw new MoveNotPossibleError(places, ['Another process moves the tenant at the moment.']);
}

interface Sides {
  readonly from: MoveSide;
  readonly to: MoveSide;
  readonly moveId: string;
}

/** Runs `work` with both sides of a move. Whatever the tenant has put into its schema runs with its own rights. */
async function withSides(
  servers: MoveServers,
  schema: string,
  { server, row: { moveId, peer } }: TenantPlace,
  work: (sides: Sides) => Promise<void>,
): Promise<void> {
  if (moveId === null || peer === null) return;
  const sideOf = async (here: string, there: string): Promise<MoveSide> => {
    const source = servers.source(here);
    const role = await joinLogin(servers, here, schema);
    return new MoveSide({ server: here, source, moveId, peer: there, role });
  };
  const from = await sideOf(server, peer);
  const to = await sideOf(peer, server);
  try {
    await work({ from, to, moveId });
  } finally {
    from.close();
    to.close();
  }
}

/** The tenant's own login, which this login becomes a member of. */
async function joinLogin(
  servers: MoveServers,
  server: string,
  schema: string,
): Promise<string | undefined> {
  try {
    return await inAdminSession(servers.source(server), async (session) => {
      const { login } = await readTenantState(session, { schema });
      if (login !== undefined) await joinRole(session, login.name);
      return login?.name;
    });
  } catch (error) {
    throw await servers.explain(error, server);
  }
}
