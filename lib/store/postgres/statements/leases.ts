import { CLAIM_COLUMNS, claimOfTask } from './claimed-clauses.js';
import { listedClaims } from './claim-batch.js';
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
 * CTEs that delete a lease, and the lists of its instance's ended claims, unless a task is Running under the lease, whatever
 * its process remembers. Claims without a lease count as those of a dead process, and this process lives.
 *
 * `held<i>` tells whether the lease stays.
 */
function deleteUnlessHeld(tables: TenantTables, instance: string, i = 0): string {
  return `held${i} AS MATERIALIZED (
      SELECT EXISTS (SELECT FROM ${listedClaims(tables, instance)}) AS held
    ), lease${i} AS (
      DELETE FROM ${tables.lease} WHERE instance_id = ${instance}::uuid AND NOT (SELECT held FROM held${i})
    ), lists${i} AS (
      DELETE FROM ${tables.claimBatch} WHERE instance_id = ${instance}::uuid AND NOT (SELECT held FROM held${i})
    )`;
}

/**
 * Deletes this process's leases in several tenants at once. The parameters are the instances. By tenant, the result is 1 if
 * the instance has claims, so its lease stays.
 */
export const releaseLeases: BulkStatement<CountsRow> = {
  columns: COUNTS,
  textFor: (tenants) => {
    const parts = tenants.map((tables, i) => deleteUnlessHeld(tables, `$${i + 1}`, i));
    const held = tenants.map((_, i) => `(SELECT held::integer FROM held${i})`);
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
    `WITH ${deleteUnlessHeld(tables, '$1')} SELECT ${HELD.select({ isHeld: '(SELECT held FROM held0)' })}`,
};

const CLAIM = columns(CLAIM_COLUMNS);

/** The claims of an instance in the database, to reconcile with memory after an unknown reply. */
export const readClaims: Statement<ClaimedTask> = {
  name: 'read_claims',
  columns: CLAIM,
  text: (tables) => `SELECT ${CLAIM.select(claimOfTask(tables))}
  FROM (SELECT DISTINCT ON (t.execution_id, t.task_no, t.item_no) t.* FROM ${listedClaims(tables, '$1')}) t`,
};

const EXECUTION_ID = columns({ executionId: uuid });

/** Paused executions in which an instance has claims. */
export const readPausedExecutions: Statement<{ executionId: string }> = {
  name: 'read_paused_executions',
  columns: EXECUTION_ID,
  text: (tables) =>
    `SELECT DISTINCT ${EXECUTION_ID.select({ executionId: 't.execution_id' })} FROM ${listedClaims(tables, '$1')} AND t.paused`,
};
