import type { BulkDeletion } from '../../port/index.js';
import { boolean, columns, uuid } from './columns.js';
import { executionOf, lockOrder, type Statement, type TenantTables } from './statement.js';

/** Maximum number of task rows that one statement deletes, if it deletes more than one tree. */
const MAX_TASKS = 5_000;

const DELETED = columns({ id: uuid, isLeft: boolean });
type DeletedRow = ReturnType<typeof DELETED.decode>[number];

/** A condition: the end of execution `x` is stored, and has nothing left to bring about, and it may be deleted. */
export const IS_DELETABLE = 'x.completed_at IS NOT NULL AND x.unsettled = 0 AND NOT x.legal_hold';

/** Tables whose rows belong to an execution, with the condition that their index needs. */
export function ownedTables(
  tables: TenantTables,
): readonly (readonly [name: string, condition: string])[] {
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
 * The CTE `tree`: executions with all executions under them.
 *
 * @param tops - rows with `id`, and with the columns in `of`
 * @param condition - the condition on the execution `x` at the top of item `i`
 * @param of - columns of the item that its whole tree has
 */
export function treeClause(
  tables: TenantTables,
  tops: string,
  { condition = 'true', of = [] }: { condition?: string; of?: readonly string[] } = {},
): string {
  const given = of.map((column) => `, i.${column}`).join('');
  const inherited = of.map((column) => `, t.${column}`).join('');
  return `tree AS (
    SELECT x.id AS top, x.id, x.generation, ${IS_DELETABLE} AND ${condition} AS is_ready${given} FROM ${tops} i
    CROSS JOIN LATERAL (
      SELECT * FROM ${tables.execution} x WHERE ${executionOf('i.id')} AND x.parent_execution_id IS NULL
    ) x
    UNION ALL
    SELECT t.top, x.id, x.generation, x.is_ready${inherited} FROM tree t CROSS JOIN LATERAL (
      SELECT x.id, x.generation, ${IS_DELETABLE} AS is_ready FROM ${tables.execution} x
      WHERE x.parent_execution_id = t.id AND x.parent_execution_id IS NOT NULL
      -- Keeps the sub-select by itself: a join could read the whole index of parents.
      OFFSET 0
    ) x
  )`;
}

/**
 * Deletes executions with everything that belongs to them, and with all executions under them.
 *
 * A tree is deleted as a whole, because its executions show each other: the parent names its children, and a manual retry of
 * it retries them. So it stays if one of its executions has not ended, or has to tell its parent, end its children or tell a
 * subscriber, or is on legal hold. Only an execution without a parent is the top of a tree.
 *
 * Rows that others have locked are skipped, as in `control-executions.ts`. A manual retry locks the tasks first and then the
 * execution, which is no longer ended after it. A wait that another execution begins for one of these sets its bit first.
 * So no tree can get something to do once all its rows are locked. The conditions are checked on the locked rows again, with
 * the generation: a retry that has begun and ended since the snapshot may have started children, which the tree lacks.
 *
 * The sums over a tree are windows and not joins, which would be nested loops here: quadratic in the number of executions.
 *
 * @param isExpected - whether each tree is given with the generation of its top and, unless NULL, the version of all of it
 */
function deletionText(tables: TenantTables, isExpected: boolean): string {
  const tree = isExpected
    ? treeClause(
        tables,
        '(SELECT * FROM unnest($1::uuid[], $2::integer[], $3::bigint[]) AS u(id, expected, version))',
        { condition: 'x.generation = i.expected', of: ['expected', 'version'] },
      )
    : treeClause(tables, '(SELECT DISTINCT id FROM unnest($1::uuid[]) AS u(id))');
  const asExpected = isExpected
    ? ' AND (l.version IS NULL OR l.version = sum(l.locked_generation + 1) OVER (PARTITION BY l.top))'
    : '';
  return `WITH RECURSIVE ${tree}, node AS MATERIALIZED (
    SELECT t.*, n.tasks, bool_and(t.is_ready) OVER (PARTITION BY t.top) AS tree_is_ready
    FROM tree t CROSS JOIN LATERAL (
      SELECT count(*) AS tasks FROM ${tables.task} k WHERE k.execution_id = t.id
    ) n
  ), fit AS MATERIALIZED (
    SELECT n.*, sum(n.tasks) OVER (ORDER BY n.top) - sum(n.tasks) OVER (PARTITION BY n.top) AS before
    FROM node n WHERE n.tree_is_ready
  ), all_tasks AS MATERIALIZED (
    SELECT m.*, l.locked FROM (SELECT * FROM fit WHERE before < ${MAX_TASKS} ORDER BY id) m
    CROSS JOIN LATERAL (
      SELECT count(*) AS locked FROM (
        SELECT FROM ${tables.task} k WHERE k.execution_id = m.id
        ORDER BY ${lockOrder('k.')} FOR UPDATE SKIP LOCKED
      ) k
    ) l
  ), locked AS MATERIALIZED (
    SELECT a.*, x.generation AS locked_generation, x.status, x.schedule, x.scheduled_for
    FROM all_tasks a LEFT JOIN LATERAL (
      SELECT x.generation, x.status, x.schedule, x.scheduled_for FROM ${tables.execution} x
      WHERE x.id = a.id AND a.locked = a.tasks AND ${IS_DELETABLE} AND x.generation = a.generation FOR UPDATE SKIP LOCKED
    ) x ON true
  ), judged AS MATERIALIZED (
    SELECT l.*, bool_and(l.locked_generation IS NOT NULL) OVER (PARTITION BY l.top)${asExpected} AS is_gone
    FROM locked l
  ), gone AS MATERIALIZED (
    SELECT j.* FROM judged j WHERE j.is_gone
  ), ${ownedTables(tables)
    .map(
      ([table, condition], i) => `owned_${i} AS (
    DELETE FROM ${table} o USING gone g WHERE o.execution_id = ANY (ARRAY[g.id])${condition}
  )`,
    )
    .join(', ')}, firing AS (
    -- The record of the firing says how its execution has ended, now that the execution can't be asked.
    UPDATE ${tables.scheduleFiring} f SET ended = g.status FROM gone g
    WHERE f.schedule = ANY (ARRAY[g.schedule]) AND f.scheduled_for = g.scheduled_for AND f.execution_id = g.id
  ), execution AS (
    DELETE FROM ${tables.execution} x USING gone g WHERE ${executionOf('g.id')}
  )
  SELECT ${DELETED.select({ id: 'j.top', isLeft: 'j.is_gone IS NOT TRUE' })} FROM judged j WHERE j.id = j.top
  UNION ALL
  SELECT ${DELETED.select({ id: 'f.top', isLeft: 'true' })} FROM fit f WHERE f.id = f.top AND f.before >= ${MAX_TASKS}`;
}

export const deleteExecutions: Statement<DeletedRow> = {
  name: 'delete_executions',
  columns: DELETED,
  text: (tables) => deletionText(tables, false),
};

/** The same for trees that must be as they were read; see `RetentionStore.delete`. */
export const deleteExpired: Statement<DeletedRow> = {
  name: 'delete_expired',
  columns: DELETED,
  text: (tables) => deletionText(tables, true),
};

export function deletionOf(rows: readonly DeletedRow[]): BulkDeletion {
  const idsOf = (left: boolean): string[] =>
    rows.filter(({ isLeft }) => isLeft === left).map(({ id }) => id);
  return { deleted: idsOf(false), left: idsOf(true) };
}
