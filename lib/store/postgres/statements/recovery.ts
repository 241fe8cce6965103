import { CLAIM_COLUMNS, claimOfTask } from './claimed-clauses.js';
import {
  bigint,
  boolean,
  columns,
  double,
  epochMs,
  instant,
  integer,
  long,
  orNull,
  text,
  uuid,
} from './columns.js';
import { batchClause, LISTED } from './claim-batch.js';
import { leaseClause, leaseValues } from './lease-clause.js';
import { plainArray } from './encoding.js';
import { heldLocks, LIVENESS_LOCK_CLASS, LOCK_SESSION } from './liveness-locks.js';
import {
  lockOrder,
  NEXT_TOKEN,
  taskOf,
  type BulkStatement,
  type Statement,
  type TenantTables,
} from './statement.js';
import {
  type ClaimKey,
  type Claimant,
  type LeaseRow,
  type RecoveryEventRow,
  type RecoveryStatsRow,
  type TakeOrphans,
  type TakenOrphan,
  byLockOrder,
} from '../../port/index.js';

/** The columns of a lease in results. */
export const LEASE_COLUMNS = {
  tenant: integer,
  instanceId: uuid,
  processId: uuid,
  name: text,
  lockEpoch: orNull(text),
  overForMs: long,
  readOnly: boolean,
  lockSession: orNull(text),
  login: text,
} as const;

/** Expressions for {@link LEASE_COLUMNS} on the tenant's lease `l`. */
export function leaseOf(
  tables: TenantTables,
  tenant: number,
): Record<keyof typeof LEASE_COLUMNS, string> {
  return {
    tenant: String(tenant),
    instanceId: 'l.instance_id',
    processId: 'l.process_id',
    name: 'l.name',
    lockEpoch: 'l.lock_epoch',
    overForMs: epochMs(`${tables.clock.now} - l.expires_at`),
    // True while the database accepts no writes.
    readOnly: "current_setting('transaction_read_only') = 'on'",
    lockSession: 'l.lock_session',
    login: 'l.login',
  };
}

const LEASE = columns(LEASE_COLUMNS);

/** Reads all leases of many tenants. Only active tenants have any. */
export const readLeases: BulkStatement<LeaseRow> = {
  columns: LEASE,
  textFor: (tenants) =>
    tenants
      .map((tables, i) => `SELECT ${LEASE.select(leaseOf(tables, i))} FROM ${tables.lease} l`)
      .join(' UNION ALL '),
};

const ENDED_LEASE = columns({ instanceId: uuid });

/**
 * Ends the lease of a lost instance, unless it has changed since it was assessed: renewed (if it had expired), or bound to
 * another lock (if its lock was gone). The process that deletes the row owns the recovery. If the instance itself returns,
 * its next renewal finds no row.
 */
export const endLease: Statement<{ instanceId: string }> = {
  name: 'end_lease',
  columns: ENDED_LEASE,
  text: (tables) => `DELETE FROM ${tables.lease} l
  WHERE l.instance_id = $1::uuid
    AND CASE WHEN $5::boolean THEN true WHEN $2::boolean THEN l.expires_at <= ${tables.clock.now}
             ELSE l.lock_epoch IS NOT DISTINCT FROM $3::text AND l.lock_session IS NOT DISTINCT FROM $4::text
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks k
                               WHERE ${heldLocks(LIVENESS_LOCK_CLASS)} AND ${LOCK_SESSION} = $4::text)
        END
  RETURNING ${ENDED_LEASE.select({ instanceId: 'l.instance_id' })}`,
};

const TAKEN = columns({ ...CLAIM_COLUMNS, abandoned: boolean });

/** A condition: the task has begun and has used up its recoveries. */
const EXHAUSTED = '(t.recovery_attempts >= $3::integer AND t.started_at IS NOT NULL)';

/**
 * Takes claims that no process works on, in the lock order, skipping locked rows.
 *
 * A task becomes Ready at once, with one more recovery if it had begun. A task that has used up its recoveries becomes a
 * claim of this process, to be recorded as Failed with all consequences. The tokens change, so late outcomes are rejected.
 *
 * @param orphans - a query that locks the rows and returns their keys
 */
function takeText(tables: TenantTables, orphans: string): string {
  return `WITH orphan AS MATERIALIZED (
    ${orphans}
  ), taken AS (
    UPDATE ${tables.task} t
    SET status = CASE WHEN ${EXHAUSTED} THEN 'Running' ELSE 'Ready' END,
        owner = CASE WHEN ${EXHAUSTED} THEN $6::uuid END,
        run_at = CASE WHEN ${EXHAUSTED} THEN NULL ELSE ${tables.clock.now} END,
        claim_token = CASE WHEN ${EXHAUSTED} THEN ${NEXT_TOKEN} ELSE t.claim_token + 1 END,
        recovery_attempts = t.recovery_attempts
          + CASE WHEN t.started_at IS NULL OR ${EXHAUSTED} THEN 0 ELSE 1 END
    FROM orphan o
    WHERE ${taskOf('o')}
    RETURNING t.execution_id, t.task_no, t.item_no, t.definition_id, t.claim_token, t.attempt, t.recovery_attempts,
              t.unmet_dependencies, t.generation, t.priority, t.wakes, t.has_steps, t.status = 'Running' AS abandoned
  ), event AS (
    INSERT INTO ${tables.recoveryEvent} (execution_id, task_no, item_no, kind, cause, previous_owner, orphaned_for_ms)
    SELECT execution_id, task_no, item_no, CASE WHEN abandoned THEN 'abandoned' ELSE 'recovered' END, $4::text, $1::uuid,
           $5::bigint
    FROM taken ORDER BY ${lockOrder('')}
  ), ${leaseClause(tables, 6)}, ${batchClause(tables, { instance: '$6', no: '$11', from: 'taken c WHERE c.abandoned' })}
  SELECT ${TAKEN.selectSome({ ...claimOfTask(tables), deferredForMs: undefined, abandoned: 'abandoned' })}
  FROM taken`;
}

/**
 * Takes the claims of an instance without a lease, in the order of its lists. Locks taken with SKIP LOCKED wait for no other
 * session, so their order can't cause a deadlock.
 */
export const takeOrphans: Statement<TakenOrphan> = {
  name: 'take_orphans',
  columns: TAKEN,
  text: (tables) =>
    takeText(
      tables,
      `SELECT c.execution_id, c.task_no, c.item_no FROM ${tables.claimBatch} b
      CROSS JOIN LATERAL ${LISTED} c(execution_id, task_no, item_no)
      CROSS JOIN LATERAL (
        SELECT FROM ${tables.task} t WHERE ${taskOf('c')} AND t.owner = $1::uuid AND t.status = 'Running'
        FOR NO KEY UPDATE SKIP LOCKED
      ) l
    WHERE b.instance_id = $1::uuid AND NOT EXISTS (SELECT FROM ${tables.lease} l WHERE l.instance_id = $1::uuid)
    LIMIT $2::integer`,
    ),
};

/** Takes claims that their living instance does not know, by their keys, which arrive in the lock order. */
export const takeUnknown: Statement<TakenOrphan> = {
  name: 'take_unknown',
  columns: TAKEN,
  text: (tables) =>
    takeText(
      tables,
      `SELECT i.execution_id, i.task_no, i.item_no
    FROM unnest($12::uuid[], $13::integer[], $14::integer[], $15::bigint[])
           AS i(execution_id, task_no, item_no, claim_token)
    CROSS JOIN LATERAL (
      SELECT FROM ${tables.task} t WHERE ${taskOf('i')} AND t.claim_token = i.claim_token AND (t.owner = $1::uuid) IS TRUE
      FOR NO KEY UPDATE SKIP LOCKED) l
    LIMIT $2::integer`,
    ),
};

/** The parameters of all three statements. The first is the instance that had the claims. */
export function takeOrphansValues(
  instanceId: string,
  { limit, maxRecoveryAttempts, cause, orphanedForMs }: TakeOrphans,
  claimant: Claimant,
  writeLease: boolean,
  batchNo: number,
): unknown[] {
  return [
    instanceId,
    limit,
    maxRecoveryAttempts,
    cause,
    Math.max(0, Math.round(orphanedForMs)),
    ...leaseValues(claimant, writeLease),
    batchNo,
  ];
}

/** Additional parameters of {@link takeUnknown}. */
export function claimKeyValues(claims: readonly ClaimKey[]): unknown[] {
  const sorted = [...claims].sort(byLockOrder);
  return [
    plainArray(sorted.map(({ executionId }) => executionId)),
    plainArray(sorted.map(({ taskNo }) => taskNo)),
    plainArray(sorted.map(({ itemNo }) => itemNo)),
    plainArray(sorted.map(({ token }) => token)),
  ];
}

const OWNER = columns({ owner: orNull(uuid) });

/** The instances that a task was taken from, oldest first. */
export const readOwners: Statement<{ owner: string | null }> = {
  name: 'read_owners',
  columns: OWNER,
  text: (
    tables,
  ) => `SELECT ${OWNER.select({ owner: 'e.previous_owner' })} FROM ${tables.recoveryEvent} e
  WHERE e.execution_id = $1::uuid AND e.task_no = $2::integer AND e.item_no = $3::integer ORDER BY e.id`,
};

const STATS = columns({ recovered: long, abandoned: long, median: double, p95: double });
type StatsRow = ReturnType<typeof STATS.decode>[number];

/** Of the recoveries since $1, the newest $2 or all. */
export const readRecoveryStats: Statement<StatsRow> = {
  name: 'read_recovery_stats',
  columns: STATS,
  text: (tables) => `SELECT ${STATS.select({
    recovered: "count(*) FILTER (WHERE e.kind = 'recovered')",
    abandoned: "count(*) FILTER (WHERE e.kind = 'abandoned')",
    median: 'coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY e.orphaned_for_ms), 0)',
    p95: 'coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY e.orphaned_for_ms), 0)',
  })}
  FROM (
    SELECT e.kind, e.orphaned_for_ms FROM ${tables.recoveryEvent} e
    WHERE e.created_at >= coalesce($1::timestamptz, '-infinity') ORDER BY e.created_at DESC LIMIT $2::bigint
  ) e`,
};

const RECOVERY_EVENT = columns({
  id: bigint,
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  definitionId: orNull(bigint),
  kind: text,
  cause: text,
  previousOwner: uuid,
  orphanedForMs: long,
  at: instant,
});

/** A page of recovery events, newest first, with the definition that names the task. */
export const listRecoveryEvents: Statement<RecoveryEventRow> = {
  name: 'list_recovery_events',
  columns: RECOVERY_EVENT,
  text: (tables) => `SELECT ${RECOVERY_EVENT.select({
    id: 'e.id',
    executionId: 'e.execution_id',
    taskNo: 'e.task_no',
    itemNo: 'e.item_no',
    definitionId: 'x.definition_id',
    kind: 'e.kind',
    cause: 'e.cause',
    previousOwner: 'e.previous_owner',
    orphanedForMs: 'e.orphaned_for_ms',
    at: epochMs('e.created_at'),
  })}
  FROM ${tables.recoveryEvent} e LEFT JOIN ${tables.execution} x ON x.id = e.execution_id
  WHERE ($1::uuid IS NULL OR e.execution_id = $1::uuid)
    AND ($2::timestamptz IS NULL OR e.created_at >= $2::timestamptz)
    AND ($3::bigint IS NULL OR e.id < $3::bigint)
  ORDER BY e.id DESC LIMIT $4::integer`,
};

export function statsOf(row: StatsRow): RecoveryStatsRow {
  const { recovered, abandoned, median, p95 } = row;
  const taken = recovered + abandoned;
  return {
    recovered,
    abandoned,
    successRate: taken === 0 ? 1 : recovered / taken,
    timeToRecoverMs: { median, p95 },
  };
}
