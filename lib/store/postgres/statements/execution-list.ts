import { bigint, columns, epochMs, instant, json, long, orNull, text, uuid } from './columns.js';
import type { Statement, TenantTables } from './statement.js';
import type { ExecutionCount, ListedExecution } from '../../port/index.js';

const BEFORE = `coalesce($3::timestamptz, 'infinity')`;
const AFTER_LAST = `coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')`;

/**
 * The range of the index that a page is in, with one bound at each end: of two at one end an index scan begins at
 * either. What isn't asked for is infinite: a condition that holds when its parameter is NULL would be none of the
 * index's in a generic plan. Either way a page would read all those before it.
 */
const PAGE_RANGE = `e.created_at > coalesce($2::timestamptz, '-infinity')
      AND (e.created_at, e.id) < (
        least(${BEFORE}, ${AFTER_LAST}),
        CASE WHEN ${BEFORE} <= ${AFTER_LAST} THEN '00000000-0000-0000-0000-000000000000' ELSE $4::uuid END)`;

const LISTED = columns({
  id: uuid,
  workflow: text,
  version: orNull(text),
  status: text,
  error: orNull(json),
  reason: orNull(text),
  createdAt: instant,
  startedAt: orNull(instant),
  completedAt: orNull(instant),
  createdAtMicros: bigint,
});

/**
 * What a page shows of each execution. No context and no task is read, but for the error of those that Failed: it is
 * that of the first task whose failure was not handled, found by the primary key.
 */
const SUMMARY = (tables: TenantTables): string =>
  LISTED.select({
    id: 'x.id',
    workflow: 'x.workflow',
    version: `(SELECT d.version FROM ${tables.definition} d WHERE d.id = x.definition_id)`,
    status: 'x.status',
    error: `CASE WHEN x.error IS NULL AND x.status = 'Failed' THEN (
      SELECT t.error FROM ${tables.task} t
      WHERE t.execution_id = x.id AND t.status = 'Failed' AND NOT t.failure_handled ORDER BY t.task_no LIMIT 1)
      ELSE x.error END`,
    reason: 'x.reason',
    createdAt: epochMs('x.created_at'),
    startedAt: epochMs('x.started_at'),
    completedAt: epochMs('x.completed_at'),
    createdAtMicros: '(extract(epoch FROM x.created_at) * 1000000)::bigint',
  });

/**
 * A page of executions, newest first. One index (workflow, created_at) serves a page of one workflow and of
 * all: the workflows are few and are merged.
 */
export const listExecutions: Statement<ListedExecution> = {
  name: 'list_executions',
  columns: LISTED,
  text: (tables) => `SELECT ${SUMMARY(tables)}
  FROM (SELECT DISTINCT name FROM ${tables.definition} WHERE $1::text IS NULL OR name = $1::text) d
  CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.workflow = d.name
      AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
};

/** The same for statuses other than Completed, which have a partial index of their own: the few among many. */
export const listUnfinished: Statement<ListedExecution> = {
  name: 'list_unfinished',
  columns: LISTED,
  text: (tables) => `SELECT ${SUMMARY(tables)}
  FROM unnest($6::text[]) s(status) CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.status = s.status AND e.status <> 'Completed'
      AND ($1::text IS NULL OR e.workflow = $1::text)
      AND ${PAGE_RANGE}
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
};

const COUNTED = columns({ workflow: text, status: text, count: long });

/** How many executions there are, by workflow and status. It reads all of the range: there is no counter to keep. */
export const countExecutions: Statement<ExecutionCount> = {
  name: 'count_executions',
  columns: COUNTED,
  text: (
    tables,
  ) => `SELECT ${COUNTED.select({ workflow: 'e.workflow', status: 'e.status', count: 'count(*)' })}
  FROM ${tables.execution} e
  WHERE ($1::text IS NULL OR e.workflow = $1::text)
    AND e.created_at > coalesce($2::timestamptz, '-infinity') AND e.created_at < ${BEFORE}
    AND ($4::text[] IS NULL OR e.status = ANY ($4::text[]))
  GROUP BY e.workflow, e.status ORDER BY e.workflow, e.status`,
};

/** The same for statuses other than Completed, by their partial index: the few among many. */
export const countUnfinished: Statement<ExecutionCount> = {
  name: 'count_unfinished',
  columns: COUNTED,
  text: (
    tables,
  ) => `SELECT ${COUNTED.select({ workflow: 'c.workflow', status: 's.status', count: 'c.count' })}
  FROM unnest($4::text[]) s(status) CROSS JOIN LATERAL (
    SELECT e.workflow, count(*) FROM ${tables.execution} e
    WHERE e.status = s.status AND e.status <> 'Completed'
      AND ($1::text IS NULL OR e.workflow = $1::text)
      AND e.created_at > coalesce($2::timestamptz, '-infinity') AND e.created_at < ${BEFORE}
    GROUP BY e.workflow
  ) c ORDER BY c.workflow, s.status`,
};
