import type { BulkDeletion } from '../../port/index.js';
import { boolean, columns, uuid } from './columns.js';
import { executionOf, lockOrder, type Statement, type TenantTables } from './statement.js';

/** Maximum number of task rows that one statement deletes, if it deletes more than one tree. */
const MAX_TASKS = 5_000;

const DELETED = columns({ id: uuid, isLeft: boolean });
type DeletedRow = ReturnType<typeof DELETED.decode>[number];

/** A condition: the end of execution `x` is stored, and has nothing left to bring about. */
const SETTLED = 'x.completed_at IS NOT NULL AND x.unsettled = 0';

/** Tables whose rows belong to an execution, with the condition that their index needs. */
function owned(tables: TenantTables): readonly (readonly [name: string, condition: string])[] {
  return [
    [tables.task, ''],
    [tables.step, ''],
    [tables.progress, ''],
    [tables.signal, ' AND o.execution_id IS NOT NULL'],
    [tables.event, ''],
    [tables.recoveryEvent, ''],
  ];
}

/**
 * Deletes executions with everything that belongs to them, and with all executions under them.
 *
 * A tree is deleted as a whole, because its executions show each other: the parent names its children, and a manual retry of
 * it retries them. So it stays if one of its executions has not ended, or has to tell its parent, end its children or tell a
 * subscriber. Only an execution without a parent is the top of a tree.
 *
 * Rows that others have locked are skipped, as in `control-executions.ts`. A manual retry locks the tasks first and then the
 * execution, which has not ended any more after it. A wait that another execution begins for one of these sets its bit first.
 * So no tree can get something to do once all its rows are locked.
 */
export const deleteExecutions: Statement<DeletedRow> = {
  name: 'delete_executions',
  columns: DELETED,
  text: (tables) => `WITH RECURSIVE tree AS (
    SELECT x.id AS top, x.id, ${SETTLED} AS settled FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) AS u(id)) i
    CROSS JOIN LATERAL (
      SELECT * FROM ${tables.execution} x WHERE ${executionOf('i.id')} AND x.parent_execution_id IS NULL
    ) x
    UNION ALL
    SELECT t.top, x.id, x.settled FROM tree t CROSS JOIN LATERAL (
      SELECT x.id, ${SETTLED} AS settled FROM ${tables.execution} x
      WHERE x.parent_execution_id = t.id AND x.parent_execution_id IS NOT NULL
      -- Keeps the sub-select by itself: a join could read the whole index of parents.
      OFFSET 0
    ) x
  ), fit AS MATERIALIZED (
    SELECT f.top, sum(f.tasks) OVER (ORDER BY f.top) - f.tasks AS before FROM (
      SELECT t.top, sum(n.tasks) AS tasks FROM tree t CROSS JOIN LATERAL (
        SELECT count(*) AS tasks FROM ${tables.task} k WHERE k.execution_id = t.id
      ) n GROUP BY t.top HAVING bool_and(t.settled)
    ) f
  ), all_tasks AS MATERIALIZED (
    SELECT m.top, m.id, l.locked, n.tasks
    FROM (
      SELECT t.top, t.id FROM tree t WHERE t.top IN (SELECT top FROM fit WHERE before < ${MAX_TASKS}) ORDER BY t.id
    ) m CROSS JOIN LATERAL (
      SELECT count(*) AS tasks FROM ${tables.task} k WHERE k.execution_id = m.id
    ) n CROSS JOIN LATERAL (
      SELECT count(*) AS locked FROM (
        SELECT FROM ${tables.task} k WHERE k.execution_id = m.id
        ORDER BY ${lockOrder('k.')} FOR UPDATE SKIP LOCKED
      ) k
    ) l
  ), locked AS MATERIALIZED (
    SELECT a.top, a.id FROM all_tasks a CROSS JOIN LATERAL (
      SELECT FROM ${tables.execution} x WHERE x.id = a.id AND ${SETTLED} FOR UPDATE SKIP LOCKED
    ) x
    WHERE a.locked = a.tasks
  ), whole AS MATERIALIZED (
    SELECT a.top FROM all_tasks a LEFT JOIN locked l ON l.id = a.id GROUP BY a.top HAVING count(*) = count(l.id)
  ), gone AS MATERIALIZED (
    SELECT l.id FROM locked l WHERE l.top IN (SELECT top FROM whole)
  ), ${owned(tables)
    .map(
      ([table, condition], i) => `owned_${i} AS (
    DELETE FROM ${table} o USING gone g WHERE o.execution_id = ANY (ARRAY[g.id])${condition}
  )`,
    )
    .join(', ')}, execution AS (
    DELETE FROM ${tables.execution} x USING gone g WHERE ${executionOf('g.id')}
  )
  SELECT ${DELETED.select({ id: 'f.top', isLeft: '(f.top IN (SELECT top FROM whole)) IS NOT TRUE' })} FROM fit f`,
};

export function deletionOf(rows: readonly DeletedRow[]): BulkDeletion {
  const idsOf = (left: boolean): string[] =>
    rows.filter(({ isLeft }) => isLeft === left).map(({ id }) => id);
  return { deleted: idsOf(false), left: idsOf(true) };
}
