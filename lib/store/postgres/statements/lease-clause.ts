import { plainArray } from './encoding.js';
import { CHANNEL } from './wake-ups.js';
import { LEASE_NOTICE } from '../../port/index.js';
import type { TenantTables } from './statement.js';
import type { Claimant } from '../../port/index.js';

/**
 * The CTE that writes the process's lease in the statement with its first claim in a tenant. So no claim can be committed
 * without a lease, and an idle tenant has no lease.
 *
 * Parameters, from `first`: instance, name, lock (epoch and session) and notice, duration in ms (NULL if the lease exists
 * already), process.
 *
 * The notice is NULL unless the database had no lease for a while. A notice makes commits wait for each other, so it must
 * be rare. It is sent here because a process may die as soon as its claim is committed, and others must watch it by then.
 */
export function leaseClause(tables: TenantTables, first: number): string {
  return `lease AS (
    INSERT INTO ${tables.lease} (instance_id, process_id, name, lock_epoch, lock_session, expires_at)
    SELECT $${first}::uuid, $${first + 4}::uuid, $${first + 1}::text, ($${first + 2}::text[])[1],
           ($${first + 2}::text[])[2],
           ${tables.clock.now} + $${first + 3}::bigint * interval '1 millisecond'
    WHERE $${first + 3}::bigint IS NOT NULL
    ON CONFLICT (instance_id) DO UPDATE
      SET name = excluded.name, lock_epoch = excluded.lock_epoch, lock_session = excluded.lock_session,
          expires_at = excluded.expires_at
    RETURNING CASE WHEN ($${first + 2}::text[])[3] IS NOT NULL
              THEN pg_catalog.pg_notify('${CHANNEL}', ($${first + 2}::text[])[3]) END
  )`;
}

/** The parameters of {@link leaseClause}. */
export function leaseValues(claimant: Claimant, writeLease: boolean): unknown[] {
  return [
    claimant.instanceId,
    claimant.name,
    // These consist of digits, dots, slashes and colons, so they need no escaping.
    plainArray([
      claimant.lockEpoch,
      claimant.lockSession,
      claimant.announcesLease === true ? LEASE_NOTICE : null,
    ]),
    writeLease ? claimant.leaseDurationMs : null,
    claimant.processId,
  ];
}
