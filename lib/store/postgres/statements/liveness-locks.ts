import { columns, text } from './columns.js';
import type { BulkStatement } from './statement.js';

/** Class of the advisory locks that prove a process to be alive. Any constant that nothing else uses. */
export const LIVENESS_LOCK_CLASS = 1_129_072_451;

/** A condition on `pg_locks k`: sessions of this database hold locks of the class. */
export function heldLocks(lockClass: number): string {
  return `k.locktype = 'advisory' AND k.classid = ${lockClass}::oid AND k.objsubid = 2 AND k.granted
        AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;
}

/**
 * Identifies the lock of `pg_locks k` in leases: its key and the backend that holds it. Every role can read the key once
 * the lock is held, and can take the lock once the holder is gone, but then the backend differs.
 */
export const LOCK_SESSION = "(k.objid::text || ':' || k.pid::text)";

/**
 * The locks of all living processes, as {@link LOCK_SESSION}. A process holds one lock, so backends with several are
 * ignored: no role can make this list longer than the number of connections.
 */
export const LIVING_LOCKS = `SELECT min(k.objid::bigint)::text || ':' || k.pid::text AS session
      FROM pg_catalog.pg_locks k WHERE ${heldLocks(LIVENESS_LOCK_CLASS)} GROUP BY k.pid HAVING count(*) = 1`;

const LOCK = columns({ session: text });

/** Reads {@link LIVING_LOCKS}, which apply to all tenants of the database. */
export const readLivingLocks: BulkStatement<{ session: string }> = {
  columns: LOCK,
  textFor: () => `SELECT ${LOCK.select({ session: 's.session' })} FROM (${LIVING_LOCKS}) s`,
};
