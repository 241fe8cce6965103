import { columns, integer, uuid } from './columns.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import { KEY_GRACE_MS } from '../../port/index.js';

const KEPT = columns({ id: uuid });

/**
 * Keeps the keys of ended executions `$1` for `$2` milliseconds beyond their deletion. Returns those whose keys are old
 * enough for it.
 *
 * **Why the key waits a minute.** A start that runs while its key's execution is deleted sees neither of them, if the key is
 * stored in the same moment: it looks for kept keys in the snapshot of its begin, and for executions in the index at its end.
 * So the key is stored first. The execution goes when no statement can be left that began before.
 */
export const keepKeys: Statement<{ id: string }> = {
  name: 'keep_keys',
  columns: KEPT,
  text: (tables) => `WITH kept AS (
    INSERT INTO ${tables.keptKey} AS k (workflow, idempotency_key, execution_id, kept_at, expires_at)
    SELECT x.workflow, x.idempotency_key, x.id, ${tables.clock.transaction},
           ${tables.clock.transaction} + $2::bigint * interval '1 millisecond'
    FROM unnest($1::uuid[]) AS i(id) CROSS JOIN LATERAL (
      SELECT x.id, x.workflow, x.idempotency_key FROM ${tables.execution} x
      WHERE ${executionOf('i.id')} AND x.completed_at IS NOT NULL AND x.idempotency_key IS NOT NULL
    ) x
    ORDER BY x.workflow, x.idempotency_key
    ON CONFLICT (workflow, idempotency_key) DO UPDATE SET execution_id = EXCLUDED.execution_id,
      expires_at = EXCLUDED.expires_at,
      kept_at = CASE WHEN k.execution_id = EXCLUDED.execution_id THEN k.kept_at ELSE EXCLUDED.kept_at END
    RETURNING k.execution_id, k.kept_at
  )
  SELECT ${KEPT.select({ id: 'execution_id' })} FROM kept
  WHERE kept_at <= ${tables.clock.transaction} - ${KEY_GRACE_MS} * interval '1 millisecond'`,
};

const EXPIRED = columns({ count: integer });

/** Forgets up to `$1` keys whose time is over. */
export const expireKeys: Statement<{ count: number }> = {
  name: 'expire_keys',
  columns: EXPIRED,
  text: ({ keptKey, clock }) => `WITH due AS MATERIALIZED (
    SELECT k.workflow, k.idempotency_key FROM ${keptKey} k WHERE k.expires_at <= ${clock.statement}
    ORDER BY k.expires_at LIMIT $1::integer FOR UPDATE SKIP LOCKED
  ), expired AS (
    DELETE FROM ${keptKey} k USING due d
    WHERE k.workflow = ANY (ARRAY[d.workflow]) AND k.idempotency_key = d.idempotency_key
    RETURNING k.workflow
  )
  SELECT ${EXPIRED.select({ count: 'count(*)::integer' })} FROM expired`,
};

/** Selects the deleted execution that had the key of item `e`, if the key is kept. */
export function keptKeyOf({ keptKey, clock }: TenantTables, item: string): string {
  return (
    `SELECT k.execution_id FROM ${keptKey} k WHERE k.workflow = ${item}.workflow ` +
    `AND k.idempotency_key = ${item}.idempotency_key AND k.expires_at > ${clock.transaction} ` +
    `AND k.execution_id <> ${item}.id LIMIT 1`
  );
}
