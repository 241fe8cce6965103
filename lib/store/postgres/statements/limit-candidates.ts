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

/** How many more tasks of each definition are looked for than the order of all definitions asks for. */
const SPARE = 8;
const ROOM = 'greatest(0, least(r.open, r.share))';
const COLUMNS = 't.execution_id, t.task_no, t.item_no, t.priority, t.run_at';

/**
 * A lateral sub-select of a limited claim: the due tasks of key `r` that it may take, locked, at most as many as `r` has room
 * for, with their `place` among them. `r.definitions` are the definitions with tasks of the key that this process may run, $3 and $4 the tasks without a
 * handler, $13 to $15 tasks that this process must not claim.
 *
 * **By definition.** The tasks of each definition are a range of the index. So those of a paused workflow, and of workflows of other
 * processes, which may be a hundred thousand of the same key, are not read.
 *
 * **Several definitions.** A first pass, which locks nothing, finds how many of the next tasks each definition has. Then this number
 * is locked of each, and a few more: another claim may have taken what the snapshot shows. If one of them had as many as that,
 * there may be more than were looked for (`is_cut`).
 *
 * @param isFree - a further condition that begins with AND; empty for none
 */
export function candidatesOf(tables: TenantTables, isFree: string): string {
  return `(
      SELECT o.*, row_number() OVER (ORDER BY o.priority DESC, o.run_at) AS place FROM (
        ${waitingOf(tables, mayBeTaken(tables, isFree))}
      ) o
    )`;
}

/**
 * The same for keys that may be strict. The tasks that hold slots of a strict key come first (`holds`), and take no further
 * slot. They are found by the primary key: their condition is not that of an index of waiting tasks, or a plan could read
 * all of these.
 */
export function holderCandidatesOf(tables: TenantTables, isFree: string): string {
  const mayTake = mayBeTaken(tables, isFree);
  const holdsNone = `NOT (r.is_strict AND EXISTS (
            SELECT FROM unnest(r.h_execution, r.h_task, r.h_item) AS h(e, n, i)
            WHERE h.e = t.execution_id AND h.n = t.task_no AND h.i = t.item_no))`;
  return `(
      SELECT w.*, row_number() OVER (ORDER BY w.holds DESC, w.priority DESC, w.run_at) AS place FROM (
      SELECT true AS holds, o.*, false AS is_cut FROM (
        SELECT ${COLUMNS}
        FROM unnest(r.h_execution, r.h_task, r.h_item) AS h(e, n, i) CROSS JOIN ${tables.task} t
        WHERE r.is_strict AND t.execution_id = ANY (ARRAY[h.e]) AND t.task_no = h.n AND t.item_no = h.i
          AND t.run_at IS NOT NULL AND NOT t.paused AND t.definition_id = ANY (r.definitions) AND ${mayTake}
        LIMIT greatest(0, coalesce(least(r.tokens, r.total_free), $2::integer))
        FOR NO KEY UPDATE OF t SKIP LOCKED
      ) o
      UNION ALL
      SELECT false, o.* FROM (
        ${waitingOf(tables, `${mayTake} AND ${holdsNone}`)}
      ) o
      ) w
    )`;
}

/** The waiting tasks `t` of the key that meet a condition, in the order of claiming. */
function waitingOf(tables: TenantTables, mayTake: string): string {
  const next = (
    columns: string,
    definition: string,
    count: string,
  ): string => `SELECT ${columns} FROM ${tables.task} t
          WHERE t.limit_key = r.limit_key AND t.definition_id = ${definition} AND ${LIMITED_CLAIMABLE} AND ${mayTake}
          ORDER BY t.priority DESC, t.run_at LIMIT ${count}`;
  return `SELECT o.* FROM (
        SELECT t.*, false AS is_cut FROM (
          ${next(COLUMNS, 'r.definitions[1]', ROOM)}
          FOR NO KEY UPDATE SKIP LOCKED
        ) t
        WHERE cardinality(r.definitions) = 1
        UNION ALL
        SELECT o.* FROM (
          SELECT u.id, least(${ROOM}, count(m.id) + ${SPARE}) AS count
          FROM unnest(r.definitions) AS u(id) LEFT JOIN (
            SELECT f.id FROM unnest(r.definitions) AS f(id) CROSS JOIN LATERAL (
            ${next('t.priority, t.run_at', 'f.id', ROOM)}
            ) t
            ORDER BY t.priority DESC, t.run_at LIMIT ${ROOM}
          ) m ON m.id = u.id
          WHERE cardinality(r.definitions) > 1
          GROUP BY u.id
        ) d CROSS JOIN LATERAL (
          SELECT t.*, d.count < ${ROOM} AND count(*) OVER () = d.count AS is_cut FROM (
            ${next(COLUMNS, 'd.id', 'd.count')}
            FOR NO KEY UPDATE SKIP LOCKED
          ) t
        ) o
      ) o
      ORDER BY o.priority DESC, o.run_at LIMIT ${ROOM}`;
}

function mayBeTaken({ clock }: TenantTables, isFree: string): string {
  return `t.run_at <= ${clock.statement}
        AND ${runsHere(13)}${isFree}`;
}
