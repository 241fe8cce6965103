import { decodeIntegers } from './encoding.js';
import { leaseClause } from './lease-clause.js';
import type { RawRow, Statement, TenantTables } from './statement.js';

/**
 * Renews this process's leases in several tenants at once, under the lock that it holds now. Parameters:
 * epoch, lock session, duration in ms, then the instance in each tenant. The text depends on how many, so it is not prepared.
 */
export function renewLeases(tenants: readonly TenantTables[]): string {
  const parts = tenants.map(
    (tables, i) => `r${i} AS (
      UPDATE ${tables.lease}
      SET expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond',
          lock_epoch = $1::text, lock_session = $2::text
      WHERE instance_id = $${i + 4}::uuid RETURNING 1
    )`,
  );
  const counts = tenants.map((_, i) => `(SELECT count(*)::integer FROM r${i})`);
  return `WITH ${parts.join(', ')} SELECT ARRAY[${counts.join(', ')}]`;
}

/** By index of the tenant: whether the lease was still there. */
export function decodeRenewals(rows: readonly RawRow[]): boolean[] {
  return decodeIntegers(rows[0]?.[0]).map((count) => count === 1);
}

/**
 * Deletes a lease, unless a task is held under it, whatever its process remembers: claims without a lease belong to a
 * dead process, and this one lives.
 */
function deleteUnlessHeld(tables: TenantTables, instance: string): string {
  return `DELETE FROM ${tables.lease} WHERE instance_id = ${instance}::uuid AND NOT ${isHeld(tables, instance)}`;
}

function isHeld(tables: TenantTables, instance: string): string {
  return `EXISTS (SELECT FROM ${tables.task} t WHERE t.owner = ${instance}::uuid AND t.status = 'Running')`;
}

/** Deletes this process's leases in several tenants at once; the parameters are the instances. Not prepared either. */
export function releaseLeases(tenants: readonly TenantTables[]): string {
  const parts = tenants.map((tables, i) => `r${i} AS (${deleteUnlessHeld(tables, `$${i + 1}`)})`);
  const held = tenants.map((tables, i) => `${isHeld(tables, `$${i + 1}`)}::integer`);
  return `WITH ${parts.join(', ')} SELECT ARRAY[${held.join(', ')}]`;
}

/** By index of the tenant: whether it is gone. False: claims are held under it. */
export function decodeReleases(rows: readonly RawRow[]): boolean[] {
  return decodeIntegers(rows[0]?.[0]).map((held) => held === 0);
}

/** Writes a lease by itself: for claims whose lease the database has lost. */
export const writeLease: Statement = {
  name: 'write_lease',
  text: (tables) => `WITH ${leaseClause(tables, 1)} SELECT 1`,
};

/** Returns 1 when claims are held under it. */
export const deleteLease: Statement = {
  name: 'delete_lease',
  text: (tables) =>
    `WITH r AS (${deleteUnlessHeld(tables, '$1')}) SELECT ${isHeld(tables, '$1')}::integer`,
};

/** What the database holds as claimed by an instance: compared with memory after an unknown reply. */
export const readClaims: Statement = {
  name: 'read_claims',
  text: (
    tables,
  ) => `SELECT execution_id, task_no, definition_id, claim_token, attempt, recovery_attempts,
    unmet_dependencies, generation, (extract(epoch FROM clock_timestamp() - deferred_since) * 1000)::bigint, priority
  FROM ${tables.task} WHERE owner = $1::uuid AND status = 'Running'`,
};

/** Executions that are paused and in which an instance holds claims. */
export const readPausedExecutions: Statement = {
  name: 'read_paused_executions',
  text: (tables) => `SELECT DISTINCT execution_id FROM ${tables.task}
  WHERE owner = $1::uuid AND status = 'Running' AND paused`,
};
