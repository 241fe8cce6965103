import { leaseClause, leaseValues } from './lease-clause.js';
import { decodeClaims } from './claim-tasks.js';
import { plainArray } from './encoding.js';
import { heldLocks, LIVENESS_LOCK_CLASS, LOCK_SESSION } from './liveness-locks.js';
import { NEXT_TOKEN, taskOf, type RawRow, type Statement, type TenantTables } from './statement.js';
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

/** All leases of many tenants. Few tenants have any: an idle one has none. Not prepared: the text depends on them. */
export function readLeases(tenants: readonly TenantTables[]): string {
  return tenants
    .map(
      (tables, i) => `SELECT ${i}, instance_id, process_id, name, lock_epoch,
        (extract(epoch FROM clock_timestamp() - expires_at) * 1000)::bigint,
        current_setting('transaction_read_only') = 'on', lock_session, login FROM ${tables.lease}`,
    )
    .join(' UNION ALL ');
}

export function decodeLeases(rows: readonly RawRow[]): LeaseRow[] {
  return rows.map((row) => ({
    tenant: Number(row[0]),
    instanceId: row[1] ?? '',
    processId: row[2] ?? '',
    name: row[3] ?? '',
    lockEpoch: row[4] ?? null,
    overForMs: Number(row[5]),
    readOnly: row[6] === 't',
    lockSession: row[7] ?? null,
    login: row[8] ?? '',
  }));
}

/**
 * Ends the lease of an instance that was found dead, unless it has changed since: renewed (for one whose time was
 * over), or taken up again under a lock (for one whose lock was gone). The process that deletes the row has the recovery; and
 * the instance itself, should it come back, finds no row at its next renewal and knows.
 */
export const endLease: Statement = {
  name: 'end_lease',
  text: (tables) => `DELETE FROM ${tables.lease} l
  WHERE l.instance_id = $1::uuid
    AND CASE WHEN $5::boolean THEN true WHEN $2::boolean THEN l.expires_at <= clock_timestamp()
             ELSE l.lock_epoch IS NOT DISTINCT FROM $3::text AND l.lock_session IS NOT DISTINCT FROM $4::text
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks k
                               WHERE ${heldLocks(LIVENESS_LOCK_CLASS)} AND ${LOCK_SESSION} = $4::text)
        END
  RETURNING 1`,
};

/** It has begun, and has had all of its recoveries. */
const EXHAUSTED = '(t.recovery_attempts >= $3::integer AND t.started_at IS NOT NULL)';

/**
 * Takes claims that no process works on, in the lock order and past rows that others hold. A task is Ready again at
 * once and has one more recovery, unless it had not begun; one that has had all of its recoveries becomes a claim of the
 * process that takes it, to be recorded as Failed with all that follows from that. The tokens change, so late outcomes
 * are refused.
 *
 * @param orphans - a query for the keys of the rows, which it locks
 */
function takeText(tables: TenantTables, orphans: string): string {
  return `WITH orphan AS MATERIALIZED (
    ${orphans}
  ), taken AS (
    UPDATE ${tables.task} t
    SET status = CASE WHEN ${EXHAUSTED} THEN 'Running' ELSE 'Ready' END,
        owner = CASE WHEN ${EXHAUSTED} THEN $6::uuid END,
        run_at = CASE WHEN ${EXHAUSTED} THEN NULL ELSE clock_timestamp() END,
        claim_token = CASE WHEN ${EXHAUSTED} THEN ${NEXT_TOKEN} ELSE t.claim_token + 1 END,
        recovery_attempts = t.recovery_attempts
          + CASE WHEN t.started_at IS NULL OR ${EXHAUSTED} THEN 0 ELSE 1 END
    FROM orphan o
    WHERE ${taskOf('o')}
    RETURNING t.execution_id, t.task_no, t.definition_id, t.claim_token, t.attempt, t.recovery_attempts,
              t.unmet_dependencies, t.generation, t.priority, t.status = 'Running' AS abandoned
  ), event AS (
    INSERT INTO ${tables.recoveryEvent} (execution_id, task_no, kind, cause, previous_owner, orphaned_for_ms)
    SELECT execution_id, task_no, CASE WHEN abandoned THEN 'abandoned' ELSE 'recovered' END, $4::text, $1::uuid,
           $5::bigint
    FROM taken
  ), ${leaseClause(tables, 6)}
  SELECT execution_id, task_no, definition_id, claim_token, attempt, recovery_attempts, unmet_dependencies, generation,
         NULL, priority, NULL, abandoned::integer
  FROM taken`;
}

/**
 * The claims of a dead instance: it has no lease.
 *
 * Sorted as pairs, an order that no index has: for the primary key's a plan may walk through all tasks there are.
 */
export const takeOrphans: Statement = {
  name: 'take_orphans',
  text: (tables) =>
    takeText(
      tables,
      `SELECT t.execution_id, t.task_no FROM ${tables.task} t
    WHERE t.owner = $1::uuid AND t.status = 'Running'
      AND NOT EXISTS (SELECT FROM ${tables.lease} l WHERE l.instance_id = $1::uuid)
    ORDER BY (t.execution_id, t.task_no) LIMIT $2::integer
    FOR NO KEY UPDATE SKIP LOCKED`,
    ),
};

/** What runs and has no owner at all. No statement of the library leaves such a row: a hand, or a lost part of history. */
export const takeUnowned: Statement = {
  name: 'take_unowned',
  text: (tables) =>
    takeText(
      tables,
      `SELECT t.execution_id, t.task_no FROM ${tables.task} t
    WHERE t.owner IS NULL AND t.status = 'Running'
    ORDER BY (t.execution_id, t.task_no) LIMIT $2::integer
    FOR NO KEY UPDATE SKIP LOCKED`,
    ),
};

/** Claims of an instance that lives and knows nothing of them, by their keys, which come in the lock order. */
export const takeUnknown: Statement = {
  name: 'take_unknown',
  text: (tables) =>
    takeText(
      tables,
      `SELECT i.execution_id, i.task_no
    FROM unnest($11::uuid[], $12::integer[], $13::bigint[]) AS i(execution_id, task_no, claim_token)
    CROSS JOIN LATERAL (
      SELECT FROM ${tables.task} t WHERE ${taskOf('i')} AND t.claim_token = i.claim_token AND (t.owner = $1::uuid) IS TRUE
      FOR NO KEY UPDATE SKIP LOCKED) l
    LIMIT $2::integer`,
    ),
};

/** The parameters of all three; the first is the instance that held the claims. */
export function takeOrphansValues(
  instanceId: string | null,
  { limit, maxRecoveryAttempts, cause, orphanedForMs }: TakeOrphans,
  claimant: Claimant,
  writeLease: boolean,
): unknown[] {
  return [
    instanceId,
    limit,
    maxRecoveryAttempts,
    cause,
    Math.max(0, Math.round(orphanedForMs)),
    ...leaseValues(claimant, writeLease),
  ];
}

/** What {@link takeUnknown} needs beside them. */
export function claimKeyValues(claims: readonly ClaimKey[]): unknown[] {
  const sorted = [...claims].sort(byLockOrder);
  return [
    plainArray(sorted.map(({ executionId }) => executionId)),
    plainArray(sorted.map(({ taskNo }) => taskNo)),
    plainArray(sorted.map(({ token }) => token)),
  ];
}

export function decodeOrphans(rows: readonly RawRow[]): TakenOrphan[] {
  const claims = decodeClaims(rows);
  return claims.map((claim, i) => ({ ...claim, abandoned: rows[i]?.[11] === '1' }));
}

/** Whom a task was taken from, oldest first. */
export const readOwners: Statement = {
  name: 'read_owners',
  text: (tables) => `SELECT e.previous_owner FROM ${tables.recoveryEvent} e
  WHERE e.execution_id = $1::uuid AND e.task_no = $2::integer ORDER BY e.id`,
};

export const readRecoveryStats: Statement = {
  name: 'read_recovery_stats',
  text: (
    tables,
  ) => `SELECT count(*) FILTER (WHERE e.kind = 'recovered'), count(*) FILTER (WHERE e.kind = 'abandoned'),
    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY e.orphaned_for_ms), 0),
    coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY e.orphaned_for_ms), 0)
  FROM ${tables.recoveryEvent} e WHERE $1::timestamptz IS NULL OR e.created_at >= $1::timestamptz`,
};

/** A page of recovery events, newest first, with what names the task. */
export const listRecoveryEvents: Statement = {
  name: 'list_recovery_events',
  text: (
    tables,
  ) => `SELECT e.id, e.execution_id, e.task_no, x.definition_id, e.kind, e.cause, e.previous_owner,
    e.orphaned_for_ms, (extract(epoch FROM e.created_at) * 1000)::bigint
  FROM ${tables.recoveryEvent} e LEFT JOIN ${tables.execution} x ON x.id = e.execution_id
  WHERE ($1::uuid IS NULL OR e.execution_id = $1::uuid)
    AND ($2::timestamptz IS NULL OR e.created_at >= $2::timestamptz)
    AND ($3::bigint IS NULL OR e.id < $3::bigint)
  ORDER BY e.id DESC LIMIT $4::integer`,
};

export function decodeRecoveryStats(rows: readonly RawRow[]): RecoveryStatsRow {
  const [recovered = 0, abandoned = 0, median = 0, p95 = 0] = (rows[0] ?? []).map(Number);
  const taken = recovered + abandoned;
  return {
    recovered,
    abandoned,
    successRate: taken === 0 ? 1 : recovered / taken,
    timeToRecoverMs: { median, p95 },
  };
}

export function decodeRecoveryEvents(rows: readonly RawRow[]): RecoveryEventRow[] {
  return rows.map((row) => ({
    id: row[0] ?? '',
    executionId: row[1] ?? '',
    taskNo: Number(row[2]),
    definitionId: row[3] ?? null,
    kind: row[4] ?? '',
    cause: row[5] ?? '',
    previousOwner: row[6] ?? '',
    orphanedForMs: Number(row[7]),
    at: new Date(Number(row[8])),
  }));
}
