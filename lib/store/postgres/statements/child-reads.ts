import { columns, integer, orNull, text, uuid } from './columns.js';
import { executionOf, type BulkStatement, type Statement, type TenantTables } from './statement.js';
import {
  ADMIT_NEXT,
  CHILD_EVENT,
  END_CHILDREN,
  TELL_PARENTS,
  UNSETTLED_OF_ALL,
  type ChildEnd,
  type TreeRow,
  type UnsettledEnd,
} from '../../port/index.js';

const ENDS = columns({ id: uuid, status: text, generation: integer, parentId: orNull(uuid) });

/** The ends of executions by id. Read after a step that waits for them is stored. */
export const readChildEnds: Statement<ChildEnd> = {
  name: 'read_child_ends',
  columns: ENDS,
  text: (tables) =>
    `SELECT ${ENDS.select({
      id: 'x.id',
      status: 'x.status',
      generation: 'x.generation',
      parentId: 'x.parent_execution_id',
    })} FROM unnest($1::uuid[]) i(id) JOIN ${tables.execution} x ON ${executionOf('i.id')}`,
};

const HELD_UP = columns({ id: uuid });

/**
 * The executions that an execution holds up: its parents, and those with a task that is attached to one of them by its key.
 * A child is never attached to one of them, because each would wait for the other forever.
 */
export const readHeldUp: Statement<{ id: string }> = {
  name: 'read_held_up',
  columns: HELD_UP,
  text: (tables) => `WITH RECURSIVE held AS (
    SELECT $1::uuid AS id
    UNION
    SELECT up.id FROM held h CROSS JOIN LATERAL (
      SELECT x.parent_execution_id AS id FROM ${tables.execution} x
      WHERE ${executionOf('h.id')} AND x.parent_execution_id IS NOT NULL
      UNION ALL
      SELECT s.execution_id FROM ${tables.step} s
      WHERE s.event_name = '${CHILD_EVENT}' AND s.event_name IS NOT NULL AND s.event_key = h.id::text
        AND s.status = 'Open'
      OFFSET 0
    ) up
  )
  SELECT ${HELD_UP.select({ id: 'id' })} FROM held`,
};

/** The bits that this release settles. */
const SETTLED_HERE = TELL_PARENTS | END_CHILDREN | ADMIT_NEXT;

const UNSETTLED = columns({ tenant: integer, id: uuid, bits: integer });

function unsettledOf(tables: TenantTables, i: number, limit: string, after = ''): string {
  const select = UNSETTLED.select({
    tenant: String(i),
    id: 'x.id',
    bits: `(x.unsettled & ${SETTLED_HERE})::integer`,
  });
  return `(SELECT ${select} FROM ${tables.execution} x
    WHERE x.unsettled <> 0 AND x.completed_at IS NOT NULL AND x.unsettled & ${SETTLED_HERE} <> 0${after}
    ORDER BY x.id LIMIT ${limit})`;
}

/** Before every id. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** Ends with something left to bring about, by their partial index, which is nearly always empty. $2 is the last one before. */
export const readUnsettled: Statement<UnsettledEnd> = {
  name: 'read_unsettled',
  columns: UNSETTLED,
  text: (tables) =>
    unsettledOf(tables, 0, '$1::integer', ` AND x.id > coalesce($2::uuid, '${FIRST_ID}')`),
};

/** The same of many tenants, from the first one on. */
export const readUnsettledOfAll: BulkStatement<UnsettledEnd & { tenant: number }> = {
  columns: UNSETTLED,
  textFor: (tenants) =>
    tenants
      .map((tables, i) => unsettledOf(tables, i, String(UNSETTLED_OF_ALL)))
      .join(' UNION ALL '),
};

const USE = columns({ tenant: integer, hasChildren: integer });

/**
 * Which of many tenants have executions with parents, or ends with something left to bring about: one of two partial indexes
 * has an entry. An execution to which a task is attached by its key need not have a parent. Or tasks that wait for children,
 * all of which may have been deleted.
 */
export const readChildUse: BulkStatement<{ tenant: number; hasChildren: number }> = {
  columns: USE,
  textFor: (tenants) =>
    tenants
      .map(
        ({ execution, step }, i) =>
          `SELECT ${USE.select({
            tenant: String(i),
            hasChildren: `(EXISTS (SELECT FROM ${execution} x WHERE x.parent_execution_id IS NOT NULL)
              OR EXISTS (SELECT FROM ${execution} x WHERE x.unsettled <> 0 AND x.completed_at IS NOT NULL)
              OR EXISTS (SELECT FROM ${step} s
                WHERE s.event_name = '${CHILD_EVENT}' AND s.event_name IS NOT NULL AND s.status = 'Open'))::integer`,
          })}`,
      )
      .join(' UNION ALL '),
};

const TREE = columns({
  id: uuid,
  parentId: orNull(uuid),
  step: orNull(text),
  workflow: text,
  status: text,
  depth: integer,
});

/** An execution and those under it, level by level, each by the index of parents. */
function treeOf(tables: TenantTables, limitOfEach: string, condition: string): string {
  return `WITH RECURSIVE tree AS (
    SELECT x.id, x.parent_execution_id, x.parent_step, x.workflow, x.status, x.depth FROM ${tables.execution} x
    WHERE x.id = $1::uuid
    UNION ALL
    SELECT c.id, c.parent_execution_id, c.parent_step, c.workflow, c.status, c.depth
    FROM tree t CROSS JOIN LATERAL (
      SELECT * FROM ${tables.execution} c
      WHERE c.parent_execution_id = t.id AND c.parent_execution_id IS NOT NULL ORDER BY c.id${limitOfEach}
    ) c
  )
  SELECT ${TREE.select({
    id: 'id',
    parentId: 'parent_execution_id',
    step: 'parent_step',
    workflow: 'workflow',
    status: 'status',
    depth: 'depth::integer',
  })} FROM tree${condition} LIMIT $2::integer`;
}

/**
 * The first $2 executions of a tree. A parent may have more children than that, so the limit is that of each parent too:
 * otherwise a plan reads and sorts all of its children. The planner must not know the limit: it would do the same if it expects
 * fewer children than that. Of an unknown limit it expects a tenth of them, and so reads the index in its order.
 */
export const readTree: Statement<TreeRow> = {
  name: 'read_tree',
  columns: TREE,
  text: (tables) => treeOf(tables, ' LIMIT (SELECT $2::integer)', ''),
};

/** The first $2 executions of a tree that are in some statuses ($3). There may be any number of others before them. */
export const readTreeIn: Statement<TreeRow> = {
  name: 'read_tree_in',
  columns: TREE,
  text: (tables) => treeOf(tables, '', ' WHERE status = ANY ($3::text[])'),
};
