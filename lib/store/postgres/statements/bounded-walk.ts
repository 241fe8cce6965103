import { boolean, columns, long } from './columns.js';
import { isAskedFor, PAGE_RANGE } from './execution-sources.js';
import type { Statement, TenantTables } from './statement.js';

/**
 * The index that a bounded statement walks in the order of the list: that of workflows and times, or that of statuses other than
 * Completed.
 */
export type Walk = 'any' | 'unfinished';

interface WalkParts {
  /** The parts of the index that are walked side by side. */
  readonly starts: (tables: TenantTables) => string;
  /** The condition on execution `e` that it is in the part `s.start`. */
  readonly isIn: string;
}

/** The library's own workflows are among them if $14 is true, or by their names. */
const IS_ASKED_FOR = (name: string): string =>
  `(${isAskedFor(name)} OR $1::text IS NULL AND $14::boolean)`;

const WALKS: Readonly<Record<Walk, WalkParts>> = {
  any: {
    starts: ({ definition }) =>
      `SELECT DISTINCT name AS start FROM ${definition} WHERE ${IS_ASKED_FOR('name')}`,
    isIn: 'e.workflow = s.start',
  },
  unfinished: {
    starts: () => 'SELECT DISTINCT start FROM unnest($6::text[]) g(start)',
    isIn: `e.status = s.start AND e.status <> 'Completed'`,
  },
};

const NEWEST = 'e.created_at DESC, e.id DESC';

/** How many rows of each part are looked at: all parts together at about $8, but at a page of each. */
const SHARE = `greatest($7::bigint, $8::bigint / greatest(1, (SELECT count(*) FROM start)))`;

/** The conditions on a row `e` that the index does not know. */
const isMatch = ({ step, task }: TenantTables): string => `${IS_ASKED_FOR('e.workflow')}
        AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
        AND ($9::jsonb IS NULL OR e.tags @> $9::jsonb)
        AND ($10::text IS NULL OR e.idempotency_key = $10::text)
        AND ($12::uuid IS NULL OR e.parent_execution_id = $12::uuid)
        AND ($13::uuid IS NULL OR e.root_execution_id = $13::uuid)
        AND (NOT $15::boolean OR e.parent_execution_id IS NULL)
        AND ($11::text IS NULL OR EXISTS (
          SELECT FROM ${step} s JOIN ${task} t
            ON t.execution_id = s.execution_id AND t.task_no = s.task_no AND t.item_no = s.item_no
          WHERE s.execution_id = e.id AND s.event_name = $11::text AND s.status = 'Open' AND s.event_name IS NOT NULL
            AND t.status = 'Waiting'))`;

/**
 * `found`: matches among the newest executions of each part of an index, at most $7 of each part. The walk of a part stops at its
 * page's end, or when it has looked at its share of $8 rows. `cut`: the last row that was looked at, of the part whose look was the
 * first to stop without a page. Behind it, executions may be missing in `found`.
 *
 * The inner LIMIT is what bounds the look: no condition gets into a subquery that has one. Both are one statement, and so one
 * snapshot: with two, the rows between two cuts could be skipped.
 *
 * Parameters: $1 to $7 as in the lists of all sources, $8 how many rows are looked at, and of the executions $9 tags, $10 key,
 * $11 the message that they wait for, $12 parent, $13 root, $14 whether built-in workflows are among them, $15 whether only those
 * without a parent are.
 */
function walk(tables: TenantTables, of: Walk): string {
  const { starts, isIn } = WALKS[of];
  const rows = `FROM ${tables.execution} e WHERE ${isIn} AND ${PAGE_RANGE} ORDER BY ${NEWEST}`;
  return `WITH start AS MATERIALIZED (${starts(tables)}), found AS MATERIALIZED (
    SELECT s.start, x.id, x.created_at FROM start s CROSS JOIN LATERAL (
      SELECT e.id, e.created_at FROM (
        SELECT e.id, e.created_at, e.workflow, e.status, e.tags, e.idempotency_key, e.parent_execution_id, e.root_execution_id
        ${rows} LIMIT ${SHARE}
      ) e
      WHERE ${isMatch(tables)}
      ORDER BY ${NEWEST} LIMIT $7::integer
    ) x
  ), cut AS MATERIALIZED (
    SELECT c.id, c.created_at FROM start s CROSS JOIN LATERAL (
      SELECT e.id, e.created_at ${rows} OFFSET ${SHARE} - 1 LIMIT 1
    ) c
    WHERE s.start NOT IN (SELECT f.start FROM found f GROUP BY f.start HAVING count(*) >= $7::integer)
    ORDER BY c.created_at DESC, c.id DESC LIMIT 1
  )`;
}

/** A page of executions as `x`, newest first, and behind it the `cut` if the page is not full: `p.is_end`. */
export function boundedPage(tables: TenantTables, of: Walk, selected: string): string {
  return `${walk(tables, of)}, page AS MATERIALIZED (
    SELECT f.id, f.created_at, false AS is_end FROM found f
    WHERE NOT EXISTS (SELECT FROM cut c WHERE (f.created_at, f.id) < (c.created_at, c.id))
    ORDER BY f.created_at DESC, f.id DESC LIMIT $7::integer
  )
  SELECT ${selected}
  FROM (
    SELECT * FROM page
    UNION ALL
    SELECT c.id, c.created_at, true FROM cut c WHERE (SELECT count(*) FROM page) < $7::integer
  ) p CROSS JOIN LATERAL (SELECT * FROM ${tables.execution} e WHERE e.id = p.id OFFSET 0) x
  ORDER BY p.is_end, p.created_at DESC, p.id DESC`;
}

const COUNTED = columns({ count: long, isCapped: boolean });

function countOf(name: string, of: Walk): Statement<{ count: number; isCapped: boolean }> {
  return {
    name,
    columns: COUNTED,
    text: (tables) => `${walk(tables, of)}
  SELECT ${COUNTED.select({
    count: 'least(count(*), $7::bigint - 1)',
    isCapped: 'count(*) >= $7::bigint OR EXISTS (SELECT FROM cut)',
  })} FROM found`,
  };
}

/** Counts up to $7 - 1 executions among those that a walk looks at. */
export const BOUNDED_COUNTS = {
  any: countOf('count_within', 'any'),
  unfinished: countOf('count_unfinished_within', 'unfinished'),
} as const;

const PROBED = columns({ count: long });

function probeOf(
  name: string,
  rows: (tables: TenantTables) => string,
  recursive: (tables: TenantTables) => string = () => '',
): Statement<{ count: number }> {
  return {
    name,
    columns: PROBED,
    text: (tables) =>
      `${recursive(tables)}SELECT ${PROBED.select({ count: 'count(*)' })} FROM (${rows(tables)} LIMIT $2::integer) n`,
  };
}

/**
 * How many rows the index of a source has for its condition ($1), up to $2. A source with few of them is read as a whole: a walk
 * would look at many executions for each.
 *
 * Children are asked for in the order of their index. Without an order, the planner may read the whole table: if many rows match, it
 * expects to find enough of them soon.
 */
export const PROBES = {
  tagged: probeOf(
    'probe_tagged',
    ({ execution }) => `SELECT FROM ${execution} e WHERE e.tags @> $1::jsonb`,
  ),
  waiting: probeOf(
    'probe_waiting',
    ({ step }) =>
      `SELECT FROM ${step} s WHERE s.event_name = $1::text AND s.status = 'Open' AND s.event_name IS NOT NULL`,
  ),
  children: probeOf(
    'probe_children',
    ({ execution }) =>
      `SELECT FROM ${execution} e WHERE e.parent_execution_id = $1::uuid AND e.parent_execution_id IS NOT NULL ORDER BY e.id`,
  ),
  tree: probeOf(
    'probe_tree',
    () => 'SELECT FROM tree',
    ({ execution }) => `WITH RECURSIVE tree AS (
    (SELECT c.id FROM ${execution} c WHERE c.parent_execution_id = $1::uuid AND c.parent_execution_id IS NOT NULL
     ORDER BY c.id LIMIT $2::integer)
    UNION ALL
    SELECT c.id FROM tree t CROSS JOIN LATERAL (
      SELECT c.id FROM ${execution} c WHERE c.parent_execution_id = t.id AND c.parent_execution_id IS NOT NULL
    ) c
  ) `,
  ),
} as const;
