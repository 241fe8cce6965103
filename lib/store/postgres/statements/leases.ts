import { CLAIM_COLUMNS, claimOfTask } from './claim-tasks.js';
import { boolean, columns, integers, uuid } from './columns.js';
import { leaseClause } from './lease-clause.js';
import { NO_COLUMNS, type BulkStatement, type Statement, type TenantTables } from './statement.js';
import type { ClaimedTask } from '../../port/index.js';

/** Counts by index of the tenant. */
const COUNTS = columns({ counts: integers });
type CountsRow = ReturnType<typeof COUNTS.decode>[number];

/**
 * Renews this process's leases in several tenants at once, with its current lock. Parameters: epoch, lock session, duration
 * in ms, then the instance in each tenant. Returns the number of leases that still existed, by tenant.
 */
export const renewLeases: BulkStatement<CountsRow> = {
  columns: COUNTS,
  textFor: (tenants) => {
    const parts = tenants.map(
      (tables, i) => `r${i} AS (
      UPDATE ${tables.lease}
      SET expires_at = ${tables.clock.now} + $3::bigint * interval '1 millisecond',
          lock_epoch = $1::text, lock_session = $2::text
      WHERE instance_id = $${i + 4}::uuid RETURNING 1
    )`,
    );
    const counts = tenants.map((_, i) => `(SELECT count(*)::integer FROM r${i})`);
    return `WITH ${parts.join(', ')} SELECT ${COUNTS.select({ counts: `ARRAY[${counts.join(', ')}]` })}`;
  },
};

/**
 * Deletes a lease unless a task is Running under it, whatever its process remembers. Claims without a lease count as those
 * of a dead process, and this process lives.
 */
function deleteUnlessHeld(tables: TenantTables, instance: string): string {
  return `DELETE FROM ${tables.lease} WHERE instance_id = ${instance}::uuid AND NOT ${isHeld(tables, instance)}`;
}

function isHeld(tables: TenantTables, instance: string): string {
  return `EXISTS (SELECT FROM ${tables.task} t WHERE t.owner = ${instance}::uuid AND t.status = 'Running')`;
}

/**
 * Deletes this process's leases in several tenants at once. The parameters are the instances. By tenant, the result is 1 if
 * the instance has claims, so its lease stays.
 */
export const releaseLeases: BulkStatement<CountsRow> = {
  columns: COUNTS,
  textFor: (tenants) => {
    const parts = tenants.map((tables, i) => `r${i} AS (${deleteUnlessHeld(tables, `$${i + 1}`)})`);
    const held = tenants.map((tables, i) => `${isHeld(tables, `$${i + 1}`)}::integer`);
    return `WITH ${parts.join(', ')} SELECT ${COUNTS.select({ counts: `ARRAY[${held.join(', ')}]` })}`;
  },
};

/** Writes a lease without a claim, for claims whose lease the database has lost. */
export const writeLease: Statement = {
  name: 'write_lease',
  columns: NO_COLUMNS,
  text: (tables) => `WITH ${leaseClause(tables, 1)} SELECT`,
};

const HELD = columns({ isHeld: boolean });

/** Deletes one lease. Returns whether its instance has claims, so it stays. */
export const deleteLease: Statement<{ isHeld: boolean }> = {
  name: 'delete_lease',
  columns: HELD,
  text: (tables) =>
    `WITH r AS (${deleteUnlessHeld(tables, '$1')}) SELECT ${HELD.select({ isHeld: isHeld(tables, '$1') })}`,
};

const CLAIM = columns(CLAIM_COLUMNS);

/** The claims of an instance in the database, to reconcile with memory after an unknown reply. */
export const readClaims: Statement<ClaimedTask> = {
  name: 'read_claims',
  columns: CLAIM,
  text: (tables) => `SELECT ${CLAIM.select(claimOfTask(tables))}
  FROM ${tables.task} WHERE owner = $1::uuid AND status = 'Running'`,
};

const EXECUTION_ID = columns({ executionId: uuid });

/** Paused executions in which an instance has claims. */
export const readPausedExecutions: Statement<{ executionId: string }> = {
  name: 'read_paused_executions',
  columns: EXECUTION_ID,
  text: (
    tables,
  ) => `SELECT DISTINCT ${EXECUTION_ID.select({ executionId: 'execution_id' })} FROM ${tables.task}
  WHERE owner = $1::uuid AND status = 'Running' AND paused`,
};
