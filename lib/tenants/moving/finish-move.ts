import { NotAllowedError } from '../../errors/index.js';
import { inAdminSession, lockTenant } from '../admin/admin-session.js';
import { dropUnusedSchema } from './drop-copy.js';
import { findTenantPlaces, type MoveServers, type TenantPlace } from './tenant-places.js';
import { finishSwitch, validateMoved } from './move-tenant.js';
import { holdMoveLock, readTenantRow } from './move-state.js';

/** What {@link CloacinaTenants.finishMove} has dropped. */
export interface FinishedMove {
  readonly schema: string;
  /** What was dropped, each with its server, such as `schema "tenant_acme" on server "eu"`. Empty if there was nothing to finish. */
  readonly dropped: readonly string[];
}

/**
 * Drops what moves of a tenant have left behind: the schema on servers that have given it away, and copies that were never
 * completed. The tenant must live on the server to which it was given.
 */
export async function finishMove(servers: MoveServers, schema: string): Promise<FinishedMove> {
  let places = await findTenantPlaces(servers, schema);
  const [moved] = places.moved;
  if (places.live === undefined && moved !== undefined) {
    await finishSwitch(servers, schema, moved);
    places = await findTenantPlaces(servers, schema);
  }
  const { live } = places;
  if (live === undefined) throw notLive(schema, undefined);
  const dropped: string[] = [];
  const isSwitching = ({ row }: TenantPlace): boolean =>
    places.moved.some(({ row: { moveId } }) => moveId === row.moveId);
  const unused = places.arriving.filter((place) => !isSwitching(place));
  for (const place of [...places.moved, ...unused]) {
    if (place.row.state === 'moved' && place.row.peer === live.server)
      await validateMoved(servers, schema, place);
    for (const name of await dropLeft(servers, schema, place, live))
      dropped.push(`${name} on server ${JSON.stringify(place.server)}`);
  }
  return { schema, dropped };
}

async function dropLeft(
  servers: MoveServers,
  schema: string,
  { server, row }: TenantPlace,
  live: TenantPlace,
): Promise<string[]> {
  // A copy that is arriving belongs to a move whose source is live, and holds the lock of the move while it goes on.
  const isOver =
    row.state === 'moved' ||
    (await inAdminSession(servers.source(live.server), ({ client }) =>
      holdMoveLock(client, schema),
    ));
  if (!isOver) throw notLive(schema, server);
  return inAdminSession(servers.source(server), async (session) => {
    await lockTenant(session, { schema });
    return dropUnusedSchema(session, schema, row.moveId ?? '');
  }).catch(async (error: unknown) => {
    throw await servers.explain(error, server);
  });
}

function notLive(schema: string, server: string | undefined): NotAllowedError {
  return new NotAllowedError(
    `finishMove() of ${JSON.stringify(schema)}`,
    server === undefined
      ? 'the tenant lives on no server'
      : `a move to server ${JSON.stringify(server)} goes on`,
    'Look at its state with "tenants list", and call it again.',
  );
}

/** Drops what moves of a tenant have left behind, once the tenant itself is removed. Returns what was dropped. */
export async function dropCopies(servers: MoveServers, schema: string): Promise<string[]> {
  const dropped: string[] = [];
  for (const server of servers.names) {
    const names = await inAdminSession(servers.source(server), async (session) => {
      const row = await readTenantRow(session.client, schema);
      if (row === undefined || row.moveId === null) return [];
      await lockTenant(session, { schema });
      return dropUnusedSchema(session, schema, row.moveId);
    }).catch(async (error: unknown) => {
      throw await servers.explain(error, server);
    });
    dropped.push(...names.map((name) => `${name} on server ${JSON.stringify(server)}`));
  }
  return dropped;
}
