import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { moveLockKey, tableOf, type TenantState } from './move-state.js';

/** A move of a tenant to another server, as one of the two servers shows it. */
export interface TenantMove {
  /**
   * - `copying`: its rows are copied to the peer. It works as usual.
   * - `stopping`: its work has stopped, until the move ends or is undone.
   * - `moved`: it lives on the peer. This is the source, which `finishMove` drops.
   * - `arriving`: this is a copy that is not complete. The tenant lives on the peer.
   */
  readonly state: 'copying' | 'stopping' | 'moved' | 'arriving';
  /** The name of the other server. */
  readonly peer: string;
  /** Since when it is in this state, by the clock of the server. */
  readonly since: Date;
  /**
   * Whether no process carries the move out: that which began it has ended. Move the tenant again, which completes the move, or
   * undoes it and begins anew. Always false for `moved`.
   */
  readonly isInterrupted: boolean;
}

const STATES: readonly string[] = [
  'copying',
  'stopping',
  'moved',
  'arriving',
] satisfies TenantMove['state'][];

export function isMoveState(state: string): state is Exclude<TenantState, 'live'> {
  return STATES.includes(state);
}

/** The advisory locks of the database that movers may hold, as in {@link moveLockKey}. pg_locks has a key as two halves. */
const HELD_LOCKS = `SELECT ((l.classid::bigint << 32) | l.objid::bigint)::text AS key FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())`;

/** Which of the schemas a mover moves away from this database now. */
export async function schemasWithMover(
  client: pg.ClientBase,
  schemas: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await readRows<{ key: string }>(client, HELD_LOCKS);
  const held = new Set(rows.map(({ key }) => key));
  return new Set(schemas.filter((schema) => held.has(moveLockKey(schema))));
}

/** The row of a tenant that moves. */
export interface MoveRow extends TenantMove {
  /** When any process undoes the stop, unless the mover lives. Null without a stop. */
  readonly deadline: Date | null;
}

/**
 * The move of a tenant, as its own login sees it on the server from which it is served. Undefined without one. The tenant's login
 * runs it, so it has the rights of the tenant only.
 */
export async function readMove(pool: pg.Pool, schema: string): Promise<MoveRow | undefined> {
  const rows = await readRows<{
    state: string;
    peer: string;
    sinceMs: number;
    deadlineMs: number | null;
    hasMover: boolean;
  }>(
    pool,
    `SELECT t.state, coalesce(t.peer, '') AS peer, (extract(epoch FROM t.changed_at) * 1000)::float8 AS "sinceMs",
            (extract(epoch FROM t.deadline) * 1000)::float8 AS "deadlineMs", $1::text IN (${HELD_LOCKS}) AS "hasMover"
       FROM ${tableOf(schema)} t WHERE t.state <> 'live'`,
    [moveLockKey(schema)],
  );
  const [row] = rows;
  if (row === undefined || !isMoveState(row.state)) return undefined;
  const { state, peer, sinceMs, deadlineMs, hasMover } = row;
  return {
    state,
    peer,
    since: new Date(sinceMs),
    // The mover holds its lock on the source. A copy is read here only while the tenant is served from it by mistake.
    isInterrupted: !hasMover && (state === 'copying' || state === 'stopping'),
    deadline: deadlineMs === null ? null : new Date(deadlineMs),
  };
}
