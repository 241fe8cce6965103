import { LISTED } from './claim-batch.js';
import { boolean, columns, integer, text, timestamp, uuid } from './columns.js';
import type { BulkStatement, Statement, TenantTables } from './statement.js';
import type { ClaimSearch, ClaimSearchPosition } from '../../port/index.js';

/** Statuses of executions in which tasks may run, in their order. */
const UNDER_WAY = ['Finishing', 'Paused', 'Running'];

/**
 * Maximum number of executions on a page of the search. A look at one takes a few microseconds, so a page is a short statement,
 * and the search of a hundred thousand executions that wait is no more than a few statements.
 */
const PAGE = 5_000;

const SEARCHED = columns({
  relisted: integer,
  isFull: boolean,
  status: text,
  createdAt: timestamp,
  id: uuid,
});
type SearchedRow = ReturnType<typeof SEARCHED.decode>[number];

/**
 * Lists the Running tasks of a page of executions that no list of their owner names. Every statement that claims writes
 * its list, so there are such tasks only if lists were deleted by hand, or by a mistake. No other statement of recovery
 * would find them.
 *
 * It only lists them: whether the claims are valid is for their owner to decide or, if it has no lease, for recovery.
 *
 * Executions are found by their status index, and their tasks by primary key. The lists of all owners on the page are read
 * once, and what they say of the page goes into the hash table of NOT IN, so the cost is not quadratic. The statement sees a list and its claims in the same
 * snapshot. The numbers of other lists are positive.
 *
 * `$1` to `$3`: status, creation time and id of the last execution of the previous page, or NULL.
 */
export const relistClaims: Statement<SearchedRow> = {
  name: 'relist_claims',
  columns: SEARCHED,
  text: (tables) => `WITH page AS MATERIALIZED (
    SELECT x.status, x.created_at, x.id
    FROM unnest('{${UNDER_WAY.join()}}'::text[]) s(status) CROSS JOIN LATERAL (
      SELECT x.status, x.created_at, x.id FROM ${tables.execution} x
      WHERE x.status = s.status AND x.status <> 'Completed'
        AND x.created_at >= CASE WHEN s.status = $1::text THEN $2::timestamptz ELSE '-infinity' END
        AND (s.status IS DISTINCT FROM $1::text OR x.created_at > $2::timestamptz OR x.id > $3::uuid)
      ORDER BY x.created_at, x.id LIMIT ${PAGE}
    ) x
    WHERE s.status >= coalesce($1::text, '')
    ORDER BY x.status, x.created_at, x.id LIMIT ${PAGE}
  ), running AS MATERIALIZED (
    SELECT t.owner, t.execution_id, t.task_no, t.item_no
    FROM page p CROSS JOIN LATERAL (
      SELECT t.* FROM ${tables.task} t WHERE t.execution_id = ANY (ARRAY[p.id]) AND t.status = 'Running' OFFSET 0
    ) t
  ), unlisted AS MATERIALIZED (
    SELECT r.owner, r.execution_id, r.task_no, r.item_no FROM running r
    WHERE (r.owner, r.execution_id, r.task_no, r.item_no) NOT IN (
      SELECT b.instance_id, c.execution_id, c.task_no, c.item_no
      FROM ${tables.claimBatch} b CROSS JOIN LATERAL ${LISTED} c(execution_id, task_no, item_no)
      WHERE b.instance_id = ANY (ARRAY(SELECT DISTINCT owner FROM running))
        AND c.execution_id IN (SELECT id FROM page))
  ), relisted AS (
    INSERT INTO ${tables.claimBatch} (instance_id, no, execution_ids, task_nos, item_nos)
    SELECT u.owner, -1 - floor(random() * 9007199254740991)::bigint,
           array_agg(u.execution_id), array_agg(u.task_no), array_agg(u.item_no)
    FROM unlisted u GROUP BY u.owner
  )
  SELECT ${SEARCHED.select({
    relisted: '(SELECT count(*)::integer FROM unlisted)',
    isFull: `(SELECT count(*) FROM page) = ${PAGE}`,
    status: 'p.status',
    createdAt: 'p.created_at',
    id: 'p.id',
  })}
  FROM page p ORDER BY p.status DESC, p.created_at DESC, p.id DESC LIMIT 1`,
};

export function relistValues(after: ClaimSearchPosition | undefined): unknown[] {
  return [after?.status ?? null, after?.createdAt ?? null, after?.id ?? null];
}

export function searchOf([row]: readonly SearchedRow[]): ClaimSearch {
  if (row === undefined) return { relisted: 0, last: undefined };
  const { relisted, isFull, status, createdAt, id } = row;
  return { relisted, last: isFull ? { status, createdAt, id } : undefined };
}

const TENANT = columns({ tenant: integer });

/**
 * The tenants with executions in which tasks may run. The order makes every plan look up one entry of the status index,
 * whatever the statistics say.
 */
export const readUnderWay: BulkStatement<{ tenant: number }> = {
  columns: TENANT,
  textFor: (tenants) =>
    tenants
      .map(
        (tables, i) =>
          `SELECT ${TENANT.select({ tenant: String(i) })} WHERE ${UNDER_WAY.map((status) => hasAny(tables, status)).join(' OR ')}`,
      )
      .join(' UNION ALL '),
};

function hasAny(tables: TenantTables, status: string): string {
  return `EXISTS (SELECT FROM (
    SELECT FROM ${tables.execution} x WHERE x.status = '${status}' AND x.status <> 'Completed'
    ORDER BY x.created_at LIMIT 1) x)`;
}
