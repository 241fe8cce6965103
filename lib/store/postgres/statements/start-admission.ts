import { firstWaiting, slotClauses, takenClauses } from './admission-slots.js';
import { boolean, bigint, columns, orNull, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import { keptKeyOf } from './kept-keys.js';
import { executionOf, type TenantTables } from './statement.js';
import type { StartItem, StartReply } from '../../port/index.js';

/**
 * How a statement treats executions with an admission:
 * - `asks`: those that find a free slot take it, and begin as other starts do. The others wait, or are skipped.
 * - `waits`: all of them wait. In a caller's transaction, a lock on the slots would keep all other starts of the key waiting.
 */
export type StartAdmission = 'asks' | 'waits';

export const ADMISSION_STARTED = columns({
  created: orNull(uuid),
  missingDefinition: orNull(bigint),
  waits: boolean,
  skipped: orNull(uuid),
  instead: orNull(uuid),
});
export type AdmissionStartedRow = ReturnType<typeof ADMISSION_STARTED.decode>[number];

/** The parameters of the items, and their names, as parts of ROWS FROM. */
export function admissionItems(
  admission: StartAdmission,
  parameter: () => string,
): { readonly from: string; readonly names: string } {
  const key = `, json_array_elements_text(${parameter()}::json)`;
  if (admission === 'waits') return { from: key, names: ', admission_key' };
  const types = ['boolean', 'integer', 'integer', 'bigint', 'integer'];
  return {
    from: key + types.map((type) => `, unnest(${parameter()}::${type}[])`).join(''),
    names: ', admission_key, skips, concurrency, rate, rate_ms, burst',
  };
}

/** The values of these parameters. */
export function admissionValues(
  admission: StartAdmission,
  items: readonly Pick<StartItem, 'admission'>[],
): unknown[] {
  const asked = items.map((item) => item.admission);
  const keys = JSON.stringify(asked.map((one) => one?.key ?? null));
  if (admission === 'waits') return [keys];
  return [
    keys,
    plainArray(asked.map((one) => one?.skips)),
    plainArray(asked.map((one) => one?.numbers.concurrency)),
    plainArray(asked.map((one) => one?.numbers.rate?.limit)),
    plainArray(asked.map((one) => one?.numbers.rate?.perMs)),
    plainArray(asked.map((one) => one?.numbers.rate?.burst)),
  ];
}

/**
 * The CTEs that decide which of the items `given` begin: `e` has all of them, with `waits` and `claims`, which is 0 for those
 * that wait.
 *
 * **Exact.** The rows of the slots are locked, and read anew under the lock; see {@link slotClauses} for the rest of the
 * proof. The statement waits for them, in the order of their keys, because a skipped start must not be decided by a lock. No
 * statement holds them longer than it takes itself.
 *
 * **Turns.** No item overtakes a due execution that waits. Those of one statement begin by priority, then in their order.
 *
 * An item whose id or idempotency key has an execution takes no slot: it creates nothing.
 *
 * @param kept - whether this also holds for keys of deleted executions
 */
export function askClauses(tables: TenantTables, lockTimeout: string, kept: boolean): string {
  const { clock, execution } = tables;
  const dueAt = `coalesce(g.run_at::timestamptz, ${clock.transaction}) + coalesce(g.delay_ms, 0) * interval '1 millisecond'`;
  return `asked AS MATERIALIZED (
    SELECT DISTINCT ON (g.admission_key) g.admission_key AS limit_key, g.concurrency, g.rate, g.rate_ms, g.burst
    FROM given g WHERE g.admission_key IS NOT NULL${lockTimeout === '' ? '' : ` AND ${lockTimeout}`}
    ORDER BY g.admission_key
  ), ${slotClauses(tables, false)}, open AS MATERIALIZED (
    SELECT t.*, CASE WHEN w.id IS NULL THEN greatest(0, least(t.free, t.tokens)) ELSE 0 END AS open, w.id AS first_waiting
    FROM token t LEFT JOIN LATERAL (${firstWaiting(tables, 't.limit_key')} LIMIT 1) w ON true
  ), place AS MATERIALIZED (
    SELECT p.*, row_number() OVER (
             PARTITION BY p.admission_key, p.existing IS NULL AND p.is_due ORDER BY p.priority DESC, p.ord
           ) AS place
    FROM (
      SELECT g.*, ${dueAt} <= ${clock.transaction} AS is_due, coalesce(
               (SELECT x.id FROM ${execution} x WHERE ${executionOf('g.id')}),
               (SELECT x.id FROM ${execution} x WHERE x.workflow = g.workflow AND x.idempotency_key = g.idempotency_key
                  AND x.idempotency_key IS NOT NULL)${kept ? `, (${keptKeyOf(tables, 'g')})` : ''}
             ) AS existing
      FROM given g
    ) p
  ), e AS MATERIALIZED (
    SELECT d.*, CASE WHEN d.waits THEN 0 ELSE d.wanted END AS claims,
           coalesce(d.existing::text, max(CASE WHEN NOT d.waits THEN d.id::text END) OVER (PARTITION BY d.admission_key),
                    d.last::text, d.first_waiting::text)::uuid AS instead
    FROM (
      SELECT p.*, o.last, o.first_waiting,
             p.admission_key IS NOT NULL AND (p.existing IS NULL AND p.is_due AND p.place <= o.open) IS NOT TRUE AS waits
      FROM place p LEFT JOIN open o ON o.limit_key = p.admission_key
    ) d
  ),`;
}

/** The CTE `e` if all items with an admission wait. */
export const WAIT_CLAUSES = `e AS MATERIALIZED (
    SELECT g.*, g.admission_key IS NOT NULL AS waits, CASE WHEN g.admission_key IS NULL THEN g.wanted ELSE 0 END AS claims
    FROM given g
  ),`;

/** A condition on item `e`: it creates an execution. Without an execution to return instead, even a skipped one waits. */
export const IS_CREATED = '(e.waits AND e.skips AND e.instead IS NOT NULL) IS NOT TRUE';

/** The CTEs that write the taken slots. */
export function startSlotClauses(tables: TenantTables): string {
  return takenClauses(
    tables,
    '(SELECT id, 0 AS generation, admission_key FROM execution WHERE admitted) x',
    'open',
  );
}

/** The rows with the outcomes of the items. */
export function admissionRows(admission: StartAdmission): string {
  const created = `SELECT ${ADMISSION_STARTED.selectSome({
    created: 'id',
    waits: 'admission_key IS NOT NULL AND NOT admitted',
  })} FROM execution`;
  if (admission === 'waits') return created;
  return `${created}
  UNION ALL SELECT ${ADMISSION_STARTED.selectSome({ skipped: 'e.id', instead: 'e.instead' })} FROM e
  WHERE e.admission_key IS NOT NULL AND (e.id IN (SELECT id FROM execution)) IS NOT TRUE`;
}

export function admissionReplyOf(
  rows: readonly AdmissionStartedRow[],
): Pick<StartReply, 'waiting' | 'instead'> {
  const instead = new Map<string, string>();
  for (const { skipped, instead: id } of rows) {
    if (skipped !== null && id !== null) instead.set(skipped, id);
  }
  const waiting = rows.flatMap(({ created, waits }) =>
    created !== null && waits ? [created] : [],
  );
  return { waiting: new Set(waiting), instead };
}
