import { readRows } from '../../store/postgres/connections/own-types.js';
import { moveLockKey } from '../../tenants/moving/move-state.js';
import { inWords, type TenantCheck } from '../check.js';

/** A move to another server that was interrupted, or whose source was not dropped. */
export const unfinishedMove: TenantCheck = {
  scope: 'tenant',
  id: 'unfinished-move',
  severity: 'warning',
  title: 'A move to another server is not finished',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{
      state: string;
      peer: string;
      moveId: string;
      age: number;
      isOver: boolean;
    }>(
      client,
      // pg_locks shows a 64-bit key as two halves. While a mover holds the lock, the move is under way.
      `SELECT t.state, t.peer, t.move_id::text AS "moveId", t.state = 'stopping' AND t.deadline < pg_catalog.clock_timestamp() AS "isOver",
              (extract(epoch FROM pg_catalog.clock_timestamp() - t.changed_at) * 1000)::double precision AS age
         FROM ${table('tenant')} t
        WHERE t.state <> 'live'
          AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_locks l
             WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
               AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
               AND (l.classid::bigint << 32) | l.objid::bigint = $1::bigint)`,
      [moveLockKey(schema)],
    );
    return rows.map(({ state, peer, moveId, age, isOver }) => ({
      ...(isOver ? { severity: 'error' as const } : {}),
      detail: `Schema "${schema}": ${SAYS[state]?.(peer) ?? state}, for ${inWords(age)}.`,
      facts: { state, peer, moveId, ageMs: Math.round(age) },
    }));
  },
  advice: ({ facts }, schema) =>
    facts['state'] === 'moved'
      ? `Check that the tenant works on server "${String(facts['peer'])}". Then ${finish(schema)} drops this source.`
      : facts['state'] === 'arriving'
        ? `If the move still goes on, as "npx nestjs-cloacina tenants list" of both servers shows, wait for its end. Otherwise move the tenant again, which makes the copy anew, or drop it with ${finish(schema)}. If its source has moved, the processes make this copy live by themselves.`
        : `Move the tenant again, or undo the move with ${finish(schema)}. A stop is undone by every process of the tenant when its deadline has passed: if none does, start one whose login owns the tables.`,
};

function finish(schema: string): string {
  return `"npx nestjs-cloacina tenants move ${schema} --finish" (finishMove() in the application)`;
}

const SAYS: Readonly<Record<string, (peer: string) => string>> = {
  copying: (peer) =>
    `a move to server "${peer}" was interrupted while it copied, and the tenant works here`,
  stopping: (peer) => `a move to server "${peer}" was interrupted, and the tenant stands still`,
  moved: (peer) => `the tenant has moved to server "${peer}", and its source was not dropped`,
  arriving: (peer) => `a copy from server "${peer}" is not complete`,
};
