import { boolean, columns, epochMs, long, text } from './columns.js';
import { SERVER_CLOCK } from './sql-clock.js';
import type { LivingLocks } from '../../port/index.js';
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
 * The locks of all living processes, as {@link LOCK_SESSION}, and whether the session has this session's login. Every role
 * may see the login of any session. A process holds one lock, so backends with several are
 * ignored: no role can make this list longer than the number of connections.
 */
export const LIVING_LOCKS = `SELECT min(k.objid::bigint)::text || ':' || k.pid::text AS session,
        k.pid IN (SELECT a.pid FROM pg_catalog.pg_stat_get_activity(NULL) a
                  WHERE a.usesysid = (SELECT me.usesysid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) me)
        ) AS of_login
      FROM pg_catalog.pg_locks k WHERE ${heldLocks(LIVENESS_LOCK_CLASS)} GROUP BY k.pid HAVING count(*) = 1`;

/** The columns of a lock in results. */
export const LOCK_COLUMNS = { session: text, ofLogin: boolean, at: long } as const;

/** Expressions for {@link LOCK_COLUMNS} on {@link LIVING_LOCKS} as `s`. */
export const LOCK_VALUES = {
  session: 's.session',
  ofLogin: 's.of_login',
  at: epochMs(SERVER_CLOCK.now),
} as const;

const LOCK = columns(LOCK_COLUMNS);
type LockRow = ReturnType<typeof LOCK.decode>[number];

/** Reads {@link LIVING_LOCKS}, which apply to all tenants of the database. */
export const readLivingLocks: BulkStatement<LockRow> = {
  columns: LOCK,
  textFor: () => `SELECT ${LOCK.select(LOCK_VALUES)} FROM (${LIVING_LOCKS}) s`,
};

export function livingLocksOf(rows: readonly LockRow[]): LivingLocks {
  return {
    sessions: new Set(rows.map(({ session }) => session)),
    ofLogin: rows.filter(({ ofLogin }) => ofLogin).map(({ session }) => session),
    at: rows[0]?.at ?? 0,
  };
}
