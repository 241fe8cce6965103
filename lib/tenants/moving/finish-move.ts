import { NotAllowedError } from '../../errors/index.js';
import { inAdminSession, lockTenant } from '../admin/admin-session.js';
import { dropUnusedSchema } from './drop-copy.js';
import {
  copyTenantRow,
  findTenantPlaces,
  isLiving,
  unfinishedSwitch,
  type MoveServers,
  type TenantPlace,
} from './tenant-places.js';
import { finishSwitch, undoInterrupted, validateMoved } from './finish-switch.js';
import { holdMoveLock } from './move-state.js';
import { readRefusal } from './schema-places.js';

/** What {@link CloacinaTenants.finishMove} has dropped. */
export interface FinishedMove {
  readonly schema: string;
  /** What was dropped, each with its server, such as `schema "tenant_acme" on server "eu"`. Empty if there was nothing to finish. */
  readonly dropped: readonly string[];
}

/**
 * Drops what moves of a tenant have left behind: the schema on servers that have given it away, and copies that were never
 * completed. The tenant must live on the server to which it was given. A move that was interrupted before its switch is undone.
 */
export async function finishMove(servers: MoveServers, schema: string): Promise<FinishedMove> {
  let places = await findTenantPlaces(servers, schema);
  const unfinished = unfinishedSwitch(places);
  if (unfinished !== undefined) {
    await finishSwitch(servers, schema, unfinished);
    places = await findTenantPlaces(servers, schema);
  }
  const { live } = places;
  if (live === undefined) throw notLive(schema, undefined);
  if (live.row.state !== 'live') {
    const isUndone = await undoInterrupted(servers, schema, live);
    if (!isUndone) throw notLive(schema, live.row.peer ?? live.server);
    return finishMove(servers, schema);
  }
  const dropped: string[] = [];
  const isSwitching = ({ row }: TenantPlace): boolean =>
    places.moved.some(({ row: { moveId } }) => moveId === row.moveId);
  const unused = places.arriving.filter((place) => !isSwitching(place));
  for (const place of [...inOrder(schema, places.moved, live), ...unused]) {
    if (place.row.state === 'moved' && place.row.peer === live.server)
      await validateMoved(servers, schema, place);
    const names =
      place.row.state === 'moved'
        ? await dropLeft(servers, schema, place)
        : await dropIncomplete(servers, schema, place, live);
    // The mover has ended between the look at the servers and the lock: that may have been the switch.
    if (names === undefined) {
      const rest = await finishMove(servers, schema);
      return { schema, dropped: [...dropped, ...rest.dropped] };
    }
    dropped.push(...names.map((name) => `${name} on server ${JSON.stringify(place.server)}`));
  }
  return { schema, dropped };
}

/**
 * The places in the order in which the tenant has left them: if this call is interrupted, each place that is left still leads to the
 * server on which the tenant lives.
 *
 * @throws NotAllowedError for a place that does not lead there: it may have the only data of another tenant of the name
 */
function inOrder(
  schema: string,
  moved: readonly TenantPlace[],
  live: TenantPlace,
): readonly TenantPlace[] {
  const steps = (place: TenantPlace, limit: number): number => {
    if (place.row.peer === live.server) return 1;
    const next = moved.find(({ server }) => server === place.row.peer);
    return next === undefined || limit === 0 ? Infinity : 1 + steps(next, limit - 1);
  };
  const all = moved.map((place) => ({ place, count: steps(place, moved.length) }));
  const lost = all.find(({ count }) => count === Infinity)?.place;
  if (lost !== undefined) {
    throw new NotAllowedError(
      `finishMove() of ${JSON.stringify(schema)}`,
      `server ${JSON.stringify(lost.server)} has given a tenant to ${JSON.stringify(lost.row.peer)}, but a tenant of the schema lives ` +
        `on ${JSON.stringify(live.server)}`,
      'Call it again when all servers answer. Otherwise keep the right one of the two, and rename or drop the other.',
    );
  }
  return all.toSorted((a, b) => b.count - a.count).map(({ place }) => place);
}

/**
 * Drops a copy whose mover is gone. The mover holds the lock of the move on the source, so the lock is held until the copy is
 * dropped, and the state of the source is read under it.
 *
 * @returns what was dropped; undefined if the tenant does not live on the source any more, so the copy may be all there is of it
 * @throws NotAllowedError if the move goes on
 */
export function dropIncomplete(
  servers: MoveServers,
  schema: string,
  place: TenantPlace,
  live: TenantPlace,
): Promise<string[] | undefined> {
  return inAdminSession(servers.source(live.server), async ({ client }) => {
    if (!(await holdMoveLock(client, schema))) throw notLive(schema, place.server);
    const row = await copyTenantRow(client, schema);
    return row !== undefined && isLiving(row) ? dropLeft(servers, schema, place) : undefined;
  });
}

async function dropLeft(
  servers: MoveServers,
  schema: string,
  { server, row }: TenantPlace,
): Promise<string[]> {
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
      // A copy that was just begun has no row yet.
      const refusal = await readRefusal(session.client, schema);
      if (refusal === undefined) return [];
      await lockTenant(session, { schema });
      return dropUnusedSchema(session, schema, refusal.moveId);
    }).catch(async (error: unknown) => {
      throw await servers.explain(error, server);
    });
    dropped.push(...names.map((name) => `${name} on server ${JSON.stringify(server)}`));
  }
  return dropped;
}
