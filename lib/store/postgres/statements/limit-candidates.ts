import { runsHere } from './claimable-tasks.js';
import type { TenantTables } from './statement.js';

/** A condition: task `t` has a limit, and waits to be claimed, now or later. It is that of the index. */
export const LIMITED_CLAIMABLE =
  't.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NOT NULL';

/**
 * A condition: task `t` counts for the key, alone or beside that of its map. The joined keys are between the key and its
 * successor.
 */
export function countsFor(key: string): string {
  return `(t.limit_key = ${key} OR t.limit_key > ${key} || chr(30) COLLATE "C" AND t.limit_key < ${key} || chr(31) COLLATE "C")`;
}

/**
 * A lateral sub-select of a limited claim: the due tasks of key `r` that it may take, locked, at most as many as `r` has room
 * for. $1 has the definitions, $3 and $4 the tasks without a handler, $13 to $15 tasks that this process must not claim.
 *
 * @param isFree - a further condition that begins with AND; empty for none
 */
export function candidatesOf(tables: TenantTables, isFree: string): string {
  return `(
      SELECT t.execution_id, t.task_no, t.item_no, t.priority, t.run_at FROM ${tables.task} t
      WHERE t.limit_key = r.limit_key AND ${LIMITED_CLAIMABLE} AND ${mayBeTaken(tables, isFree)}
      ORDER BY t.priority DESC, t.run_at LIMIT greatest(0, least(r.open, r.share))
      FOR NO KEY UPDATE SKIP LOCKED
    )`;
}

/**
 * The same for keys that may be strict. The tasks that hold slots of a strict key come first (`holds`), and take no further
 * slot. They are found by the primary key: their condition is not that of an index of waiting tasks, or a plan could read
 * all of these.
 */
export function holderCandidatesOf(tables: TenantTables, isFree: string): string {
  const columns = 't.execution_id, t.task_no, t.item_no, t.priority, t.run_at';
  const mayTake = mayBeTaken(tables, isFree);
  return `(
      SELECT true AS holds, o.* FROM (
        SELECT ${columns}
        FROM unnest(r.h_execution, r.h_task, r.h_item) AS h(e, n, i) CROSS JOIN ${tables.task} t
        WHERE r.is_strict AND t.execution_id = ANY (ARRAY[h.e]) AND t.task_no = h.n AND t.item_no = h.i
          AND t.run_at IS NOT NULL AND NOT t.paused AND ${mayTake}
        LIMIT greatest(0, coalesce(least(r.tokens, r.total_free), $2::integer))
        FOR NO KEY UPDATE OF t SKIP LOCKED
      ) o
      UNION ALL
      SELECT false, o.* FROM (
        SELECT ${columns} FROM ${tables.task} t
        WHERE t.limit_key = r.limit_key AND ${LIMITED_CLAIMABLE} AND ${mayTake}
          AND NOT (r.is_strict AND EXISTS (
            SELECT FROM unnest(r.h_execution, r.h_task, r.h_item) AS h(e, n, i)
            WHERE h.e = t.execution_id AND h.n = t.task_no AND h.i = t.item_no))
        ORDER BY t.priority DESC, t.run_at LIMIT greatest(0, least(r.open, r.share))
        FOR NO KEY UPDATE SKIP LOCKED
      ) o
    )`;
}

function mayBeTaken({ clock }: TenantTables, isFree: string): string {
  return `t.run_at <= ${clock.statement}
        AND t.definition_id = ANY ($1::bigint[])
        AND ${runsHere(13)}${isFree}`;
}
