import { boolean, columns, integer, json, orNull, parsed, text, uuid } from './columns.js';
import { taskOf, type Statement, type TenantTables } from './statement.js';
import type { ItemResultRow, ItemRow, MapState } from '../../port/index.js';

const ITEM = columns({
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  item: orNull(json),
  hasUnmet: boolean,
});

/**
 * Reads the items of claims, and the maps of which the reader has to know whether an item ended without success. It comes
 * after the claim, so that claims of tasks return no column for it. Each map is read once, and not for each of its items: its
 * row has a version for each batch of outcomes, and a look-up goes through those that are not pruned yet.
 */
export const readItems: Statement<ItemRow> = {
  name: 'read_items',
  columns: ITEM,
  text: (tables: TenantTables) => `SELECT ${ITEM.select({
    executionId: 't.execution_id',
    taskNo: 't.task_no',
    itemNo: 't.item_no',
    item: 't.item',
    hasUnmet: 't.unmet_dependencies > 0',
  })}
  FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS i(execution_id, task_no, item_no)
    JOIN ${tables.task} t ON ${taskOf('i')}`,
};

interface CountsJson {
  readonly Completed?: number;
  readonly Failed?: number;
  readonly Cancelled?: number;
}

const STATE = columns({
  itemCount: orNull(integer),
  lastItem: orNull(json),
  counts: parsed<CountsJson>({}),
  firstFailure: parsed<{ itemNo: number; error: unknown } | null>(null),
});
type StateRow = ReturnType<typeof STATE.decode>[number];

/** A condition: row `i` is an item of the map `$1`, `$2`. With plain `=` the primary key has them in order. */
const OF_MAP = `i.execution_id = $1::uuid AND i.task_no = $2::integer AND i.item_no > 0`;

/**
 * Reads what the next run of a map has to know. All items have ended when a map with all of them stored runs, so their
 * statuses no longer change.
 */
export const readMap: Statement<StateRow> = {
  name: 'read_map',
  columns: STATE,
  text: (tables: TenantTables) => `SELECT ${STATE.select({
    itemCount: 't.item_count',
    lastItem: `CASE WHEN t.item_count < 0 THEN (
      SELECT i.item FROM ${tables.task} i
      WHERE i.execution_id = $1::uuid AND i.task_no = $2::integer AND i.item_no = -t.item_count) END`,
    counts: `CASE WHEN t.item_count > 0 THEN (
      SELECT json_object_agg(s.status, s.count) FROM (
        SELECT i.status, count(*) AS count FROM ${tables.task} i WHERE ${OF_MAP} GROUP BY i.status) s) END`,
    firstFailure: `CASE WHEN t.item_count > 0 AND t.unmet_dependencies > 0 THEN (
      SELECT json_build_object('itemNo', i.item_no, 'error', i.error) FROM ${tables.task} i
      WHERE ${OF_MAP} AND i.status || '' = 'Failed' ORDER BY i.item_no LIMIT 1) END`,
  })}
  FROM ${tables.task} t
  WHERE t.execution_id = $1::uuid AND t.task_no = $2::integer AND t.item_no = 0`,
};

export function mapStateOf([row]: readonly StateRow[]): MapState | undefined {
  if (row === undefined) return undefined;
  const { itemCount, lastItem, counts, firstFailure } = row;
  const { Completed: completed = 0, Failed: failed = 0, Cancelled: cancelled = 0 } = counts;
  return {
    stored: Math.abs(itemCount ?? 0),
    isExpanded: itemCount !== null && itemCount > 0,
    lastItem,
    counts: { completed, failed, cancelled },
    firstFailure:
      firstFailure === null
        ? null
        : {
            itemNo: firstFailure.itemNo,
            error: firstFailure.error === null ? null : JSON.stringify(firstFailure.error),
          },
  };
}

/** Bound on the bytes of a page of results, as they are stored. A page has at least one row. */
const MAX_PAGE_BYTES = 8_000_000;

const RESULT = columns({
  itemNo: integer,
  status: text,
  attempt: integer,
  item: json,
  output: orNull(json),
  error: orNull(json),
});

/** Reads items in order, by the primary key. */
export const readResults: Statement<ItemResultRow> = {
  name: 'read_results',
  columns: RESULT,
  text: (tables: TenantTables) => `SELECT ${RESULT.select({
    itemNo: 'r.item_no',
    status: 'r.status',
    attempt: 'r.attempt',
    item: 'r.item',
    output: 'r.output',
    error: `CASE WHEN r.status <> 'Completed' THEN r.error END`,
  })}
  FROM (
    SELECT p.*, sum(p.size) OVER (ORDER BY p.item_no) - p.size AS before FROM (
      SELECT i.item_no, i.status, i.attempt, i.item, i.output, i.error,
             pg_column_size(i.item) + coalesce(pg_column_size(i.output), 0) + coalesce(pg_column_size(i.error), 0) AS size
      FROM ${tables.task} i
      WHERE ${OF_MAP} AND i.item_no > $3::integer AND ($4::text IS NULL OR i.status || '' = $4::text)
      ORDER BY i.item_no LIMIT $5::integer
    ) p
  ) r
  WHERE r.before < ${MAX_PAGE_BYTES} ORDER BY r.item_no`,
};
