import {
  boolean,
  columns,
  double,
  epochMs,
  instant,
  integer,
  long,
  orNull,
  text,
} from './columns.js';
import { isAskedFor, isOfApplication } from './execution-sources.js';
import type { Statement } from './statement.js';
import type { CappedStatusCount, SeriesRow } from '../../port/index.js';

const COUNTED = columns({
  status: text,
  count: long,
  isCapped: boolean,
  oldestDue: orNull(instant),
});

/**
 * How many rows are read for a count, as a multiple of the cap: Completed executions have no index of their own, and those of the
 * library's own workflows are left out by their rows.
 */
const ROWS_READ = 7;
const MAX_READ = `(($1::bigint + 1) * ${ROWS_READ})`;

/**
 * The CTEs with the executions of status `s` that are not Completed: the newest that are read (`walked`), and those of workflows
 * of the application among them (`own`), one more than the cap. Reading stops at the last of these.
 */
function ownOfStatus(execution: string): string {
  return `walked AS MATERIALIZED (
      SELECT e.workflow FROM ${execution} e WHERE e.status = s.status AND e.status <> 'Completed'
      ORDER BY e.created_at DESC LIMIT ${MAX_READ}
    ), own AS MATERIALIZED (
      SELECT w.workflow FROM walked w WHERE ${isOfApplication('w.workflow')} LIMIT $1::bigint + 1
    )`;
}

/** An expression: there may be more executions than `own` has. */
const IS_CAPPED = `CASE WHEN (SELECT count(*) FROM own) > $1::bigint THEN true ELSE (SELECT count(*) FROM walked) = ${MAX_READ} END`;

/**
 * Counts executions by status, each up to a cap ($1), without those of the library's own workflows. The partial index of statuses
 * finds those that are not Completed. For the others a bounded number of rows is read, in the order of the table.
 */
export const countCapped: Statement<CappedStatusCount & { readonly oldestDue: Date | null }> = {
  name: 'count_capped',
  columns: COUNTED,
  text: ({ clock, execution, task }) => `SELECT ${COUNTED.select({
    status: 's.status',
    count: 'least(c.count, $1::bigint)',
    isCapped: 'c.is_capped',
    oldestDue: epochMs(`(
      SELECT min(t.run_at) FROM ${task} t
      WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NULL AND t.task_no >= 0 AND t.run_at <= ${clock.now}
    )`),
  })}
  FROM unnest(ARRAY['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled']) s(status)
  CROSS JOIN LATERAL (
    WITH ${ownOfStatus(execution)}
    SELECT (SELECT count(*) FROM own) AS count, ${IS_CAPPED} AS is_capped
  ) c
  UNION ALL
  SELECT ${COUNTED.select({
    status: `'Completed'`,
    count: 'least(c.completed, $1::bigint)',
    isCapped: `c.completed > $1::bigint OR c.read = ${MAX_READ}`,
    oldestDue: 'NULL::bigint',
  })}
  FROM (
    SELECT count(*) FILTER (WHERE e.status = 'Completed' AND ${isOfApplication('e.workflow')}) AS completed,
           count(*) AS read
    FROM (SELECT status, workflow FROM ${execution} LIMIT ${MAX_READ}) e
  ) c`,
};

const BY_WORKFLOW = columns({
  workflow: orNull(text),
  status: text,
  count: long,
  isCapped: boolean,
});

/**
 * Counts executions that are not Completed by workflow, without those of the library's own workflows. Of each status the newest
 * $1 + 1 are counted, by the partial index of statuses: an index by workflow and status would cost every start and every end an
 * entry. A status without executions has one row, whose workflow is NULL.
 */
export const countByWorkflow: Statement<ReturnType<typeof BY_WORKFLOW.decode>[number]> = {
  name: 'count_by_workflow',
  columns: BY_WORKFLOW,
  text: ({ execution }) => `SELECT ${BY_WORKFLOW.select({
    workflow: 'c.workflow',
    status: 's.status',
    count: 'coalesce(c.count, 0)',
    isCapped: 'c.is_capped',
  })}
  FROM unnest(ARRAY['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled']) s(status)
  CROSS JOIN LATERAL (
    WITH ${ownOfStatus(execution)}
    SELECT n.workflow, n.count, o.is_capped
    FROM (SELECT ${IS_CAPPED} AS is_capped) o LEFT JOIN (
      SELECT w.workflow, count(*) AS count FROM own w GROUP BY 1
    ) n ON true
  ) c`,
};

const SERIES = columns({
  bucket: integer,
  started: long,
  completed: long,
  failed: long,
  cancelled: long,
  medianMs: orNull(double),
  p95Ms: orNull(double),
  completeSince: orNull(instant),
});

/** How many executions of all workflows together are read for a series, but at least some of each. */
const SERIES_ROWS = 50_000;
const MIN_SERIES_ROWS = 50;

/**
 * Counts executions by the time of their creation: from $1, in buckets of $2 ms, of workflow $3 or all. Of each workflow the
 * newest $4 are read, or fewer of many workflows, by the index of workflow and time.
 */
export const readSeries: Statement<SeriesRow & { readonly completeSince: Date | null }> = {
  name: 'read_series',
  columns: SERIES,
  text: ({ definition, execution }) => `WITH named AS (
    SELECT DISTINCT name FROM ${definition} WHERE ${isAskedFor('name', '$3')}
  ), share AS MATERIALIZED (
    SELECT least($4::bigint, greatest(${MIN_SERIES_ROWS}, ${SERIES_ROWS} / greatest(1, count(*)))) AS rows FROM named
  ), newest AS MATERIALIZED (
    SELECT x.* FROM named d CROSS JOIN LATERAL (
      SELECT e.workflow, e.status, e.created_at, e.started_at, e.completed_at FROM ${execution} e
      WHERE e.workflow = d.name AND e.created_at >= $1::timestamptz
      ORDER BY e.created_at DESC LIMIT (SELECT rows FROM share)
    ) x
  ), cut AS (
    SELECT max(c.oldest) AS since FROM (
      SELECT min(created_at) AS oldest FROM newest GROUP BY workflow HAVING count(*) = (SELECT rows FROM share)
    ) c
  )
  SELECT ${SERIES.select({
    bucket: 'b.bucket',
    started: 'b.started',
    completed: 'b.completed',
    failed: 'b.failed',
    cancelled: 'b.cancelled',
    medianMs: 'b.quantiles[1]',
    p95Ms: 'b.quantiles[2]',
    completeSince: epochMs('cut.since'),
  })}
  FROM cut CROSS JOIN (
    SELECT floor(extract(epoch FROM n.created_at - $1::timestamptz) * 1000 / $2::bigint)::integer AS bucket,
      count(*) AS started,
      count(*) FILTER (WHERE n.status = 'Completed') AS completed,
      count(*) FILTER (WHERE n.status = 'Failed') AS failed,
      count(*) FILTER (WHERE n.status = 'Cancelled') AS cancelled,
      percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (
        ORDER BY (extract(epoch FROM n.completed_at - n.started_at) * 1000)::double precision
      ) FILTER (WHERE n.status = 'Completed') AS quantiles
    FROM newest n GROUP BY 1
  ) b ORDER BY b.bucket`,
};
