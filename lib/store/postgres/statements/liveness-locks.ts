import { columns, text } from './columns.js';
import type { BulkStatement } from './statement.js';

/** The class of the advisory locks that say "this process lives". Any constant that nothing else uses. */
export const LIVENESS_LOCK_CLASS = 1_129_072_451;

/** The condition on `pg_locks k` that picks the locks of one class that sessions of this database hold. */
export function heldLocks(lockClass: number): string {
  return `k.locktype = 'advisory' AND k.classid = ${lockClass}::oid AND k.objsubid = 2 AND k.granted
        AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;
}

/**
 * What a lease tells of the lock of `pg_locks k`: its key and the backend that holds it. The key can be read by every
 * role as soon as the lock is held, and the lock be taken once its holder is gone; by another backend, which shows.
 */
export const LOCK_SESSION = "(k.objid::text || ':' || k.pid::text)";

/**
 * The locks of all living processes, as {@link LOCK_SESSION}. A process has one, so a backend that holds several of
 * them is a stranger's: it can't make this list longer than there are connections.
 */
export const LIVING_LOCKS = `SELECT min(k.objid::bigint)::text || ':' || k.pid::text AS session
      FROM pg_catalog.pg_locks k WHERE ${heldLocks(LIVENESS_LOCK_CLASS)} GROUP BY k.pid HAVING count(*) = 1`;

const LOCK = columns({ session: text });

/** The same by themselves, for all tenants of the database. */
export const readLivingLocks: BulkStatement<{ session: string }> = {
  columns: LOCK,
  textFor: () => `SELECT ${LOCK.select({ session: 's.session' })} FROM (${LIVING_LOCKS}) s`,
};
