import { boolean, columns, integer, long, orNull, text, uuid } from './columns.js';
import type { Statement, TenantTables } from './statement.js';
import type { RetentionWalk, WalkedPart } from '../../port/index.js';

const WALKED = columns({
  id: orNull(uuid),
  workflow: orNull(text),
  status: orNull(text),
  generation: orNull(integer),
  createdAtMicros: orNull(long),
  endedForMs: orNull(long),
  hasKey: boolean,
  last: orNull(uuid),
  nextInMs: orNull(long),
  beyond: orNull(uuid),
});
type WalkedRow = ReturnType<typeof WALKED.decode>[number];

/** Since when execution `x` has ended, in milliseconds. */
const endedFor = ({ clock }: TenantTables): string =>
  `(extract(epoch FROM ${clock.statement} - x.completed_at) * 1000)::bigint`;

/**
 * Looks at `$6` executions from `$1` to `$2` in the order of the primary key: a range of the index, so the cost depends on the
 * part alone. Finds those at the top of a tree that ended `$3` (Completed), `$4` (Failed) or `$5` (Cancelled) milliseconds ago.
 */
export const walkEnded: Statement<WalkedRow> = {
  name: 'walk_ended',
  columns: WALKED,
  text: (tables) => `WITH walked AS MATERIALIZED (
    SELECT x.id, x.workflow, x.status, x.generation, x.created_at, x.unsettled, x.idempotency_key IS NOT NULL AS has_key,
           ${endedFor(tables)} AS ended_for,
           CASE WHEN x.completed_at IS NOT NULL AND x.parent_execution_id IS NULL AND NOT x.legal_hold THEN
             CASE x.status WHEN 'Completed' THEN $3::bigint WHEN 'Failed' THEN $4::bigint WHEN 'Cancelled' THEN $5::bigint END
             - ${endedFor(tables)}
           END AS due_in
    FROM ${tables.execution} x WHERE x.id > $1::uuid AND x.id < $2::uuid ORDER BY x.id LIMIT $6::integer
  )
  SELECT ${WALKED.selectSome({
    id: 'w.id',
    workflow: 'w.workflow',
    status: 'w.status',
    generation: 'w.generation',
    createdAtMicros: '(extract(epoch FROM w.created_at) * 1000000)::bigint',
    endedForMs: 'w.ended_for',
    hasKey: 'w.has_key',
  })} FROM walked w WHERE w.due_in <= 0 AND w.unsettled = 0
  UNION ALL
  SELECT ${WALKED.selectSome({
    hasKey: 'false',
    last: 'CASE WHEN s.count = $6::integer THEN s.last END',
    nextInMs: 's.next_in',
    beyond: `CASE WHEN s.count < $6::integer THEN (
      SELECT x.id FROM ${tables.execution} x WHERE x.id >= $2::uuid ORDER BY x.id LIMIT 1) END`,
  })} FROM (
    SELECT count(*) AS count, (array_agg(w.id ORDER BY w.id DESC))[1] AS last,
           min(greatest(0, w.due_in)) FILTER (WHERE w.due_in > 0 OR w.unsettled <> 0) AS next_in
    FROM walked w
  ) s`,
};

export function walkValues({ after, until, periods, limit }: RetentionWalk): unknown[] {
  return [after, until, periods.completedMs, periods.failedMs, periods.cancelledMs, limit];
}

export function walkedPartOf(rows: readonly WalkedRow[]): WalkedPart {
  const found = rows.flatMap(({ last: _, nextInMs: __, beyond: ___, ...row }) => {
    const { id, workflow, status, generation, createdAtMicros, endedForMs, hasKey } = row;
    if (id === null || workflow === null || status === null || generation === null) return [];
    return [
      {
        id,
        workflow,
        status,
        generation,
        createdAtMicros: createdAtMicros ?? 0,
        endedForMs: endedForMs ?? 0,
        hasKey,
      },
    ];
  });
  const summary = rows.find(({ id }) => id === null);
  return {
    found: found.sort((a, b) => (a.id < b.id ? -1 : 1)),
    last: summary?.last ?? null,
    nextInMs: summary?.nextInMs ?? null,
    beyond: summary?.beyond ?? null,
  };
}

const KEPT = columns({ since: long });

/** The time of the `$2`th newest ended execution of workflow `$1` without a parent, by the index of its executions. */
export const keptSince: Statement<{ since: number }> = {
  name: 'kept_since',
  columns: KEPT,
  text: ({ execution }) => `SELECT ${KEPT.select({
    since: '(extract(epoch FROM x.created_at) * 1000000)::bigint',
  })} FROM ${execution} x
  WHERE x.workflow = $1::text AND x.parent_execution_id IS NULL AND x.completed_at IS NOT NULL
  ORDER BY x.created_at DESC OFFSET $2::integer - 1 LIMIT 1`,
};
