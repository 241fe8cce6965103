import { decodeIntegers } from './encoding.js';
import type { RawRow, Statement, TenantTables } from './statement.js';

/**
 * Renews this process's leases in several tenants at once, in the epoch of the lock that it holds now. Parameters:
 * epoch, duration in ms, then the instance in each tenant. The text depends on how many, so it is not prepared.
 */
export function renewLeases(tenants: readonly TenantTables[]): string {
  const parts = tenants.map(
    (tables, i) => `r${i} AS (
      UPDATE ${tables.lease}
      SET expires_at = clock_timestamp() + $2::bigint * interval '1 millisecond', lock_epoch = $1::text
      WHERE instance_id = $${i + 3}::uuid RETURNING 1
    )`,
  );
  const counts = tenants.map((_, i) => `(SELECT count(*)::integer FROM r${i})`);
  return `WITH ${parts.join(', ')} SELECT ARRAY[${counts.join(', ')}]`;
}

/** By index of the tenant: whether the lease was still there. */
export function decodeRenewals(rows: readonly RawRow[]): boolean[] {
  return decodeIntegers(rows[0]?.[0]).map((count) => count === 1);
}

/** Deletes this process's leases in several tenants at once; the parameters are the instances. Not prepared either. */
export function releaseLeases(tenants: readonly TenantTables[]): string {
  const parts = tenants.map(
    (tables, i) => `r${i} AS (DELETE FROM ${tables.lease} WHERE instance_id = $${i + 1}::uuid)`,
  );
  return `WITH ${parts.join(', ')} SELECT 1`;
}

export const deleteLease: Statement = {
  name: 'delete_lease',
  text: (tables) => `DELETE FROM ${tables.lease} WHERE instance_id = $1::uuid`,
};

/** What the database holds as claimed by an instance: compared with memory after an unknown reply. */
export const readClaims: Statement = {
  name: 'read_claims',
  text: (
    tables,
  ) => `SELECT execution_id, task_no, definition_id, claim_token, attempt, recovery_attempts,
    unmet_dependencies, generation, (extract(epoch FROM clock_timestamp() - deferred_since) * 1000)::bigint, priority
  FROM ${tables.task} WHERE owner = $1::uuid`,
};
