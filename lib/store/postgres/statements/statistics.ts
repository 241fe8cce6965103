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
import { isAskedFor } from './execution-sources.js';
import type { Statement } from './statement.js';
import type { CappedStatusCount, SeriesRow, WorkflowStatusCount } from '../../port/index.js';

const COUNTED = columns({
  status: text,
  count: long,
  isCapped: boolean,
  oldestDue: orNull(instant),
});

/** How many rows are read for the count of Completed executions, as a multiple of the cap. They have no index of their own. */
const ROWS_READ = 7;

/**
 * Counts executions by status, each up to a cap ($1). The partial index of statuses counts those that are not Completed. For
 * the others a bounded number of rows is read, in the order of the table.
 */
export const countCapped: Statement<CappedStatusCount & { readonly oldestDue: Date | null }> = {
  name: 'count_capped',
  columns: COUNTED,
  text: ({ clock, execution, task }) => `SELECT ${COUNTED.select({
    status: 's.status',
    count: 'least(c.count, $1::bigint)',
    isCapped: 'c.count > $1::bigint',
    oldestDue: epochMs(`(
      SELECT min(t.run_at) FROM ${task} t
      WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NULL AND t.task_no >= 0 AND t.run_at <= ${clock.now}
    )`),
  })}
  FROM unnest(ARRAY['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled']) s(status)
  CROSS JOIN LATERAL (
    SELECT count(*) FROM (
      SELECT FROM ${execution} e WHERE e.status = s.status AND e.status <> 'Completed' LIMIT $1::bigint + 1
    ) e
  ) c
  UNION ALL
  SELECT ${COUNTED.select({
    status: `'Completed'`,
    count: 'least(c.completed, $1::bigint)',
    isCapped: `c.completed > $1::bigint OR c.read = ($1::bigint + 1) * ${ROWS_READ}`,
    oldestDue: 'NULL::bigint',
  })}
  FROM (
    SELECT count(*) FILTER (WHERE e.status = 'Completed') AS completed, count(*) AS read
    FROM (SELECT status FROM ${execution} LIMIT ($1::bigint + 1) * ${ROWS_READ}) e
  ) c`,
};

const BY_WORKFLOW = columns({ workflow: text, status: text, count: long, read: long });

/**
 * Counts executions that are not Completed by workflow. Of each status the newest $1 + 1 are read, by the partial index of
 * statuses: an index by workflow and status would cost every start and every end an entry.
 */
export const countByWorkflow: Statement<WorkflowStatusCount & { readonly read: number }> = {
  name: 'count_by_workflow',
  columns: BY_WORKFLOW,
  text: ({ execution }) => `SELECT ${BY_WORKFLOW.select({
    workflow: 'c.workflow',
    status: 's.status',
    count: 'c.count',
    read: 'c.read',
  })}
  FROM unnest(ARRAY['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled']) s(status)
  CROSS JOIN LATERAL (
    SELECT n.workflow, count(*) AS count, (sum(count(*)) OVER ())::bigint AS read FROM (
      SELECT e.workflow FROM ${execution} e WHERE e.status = s.status AND e.status <> 'Completed'
      ORDER BY e.created_at DESC LIMIT $1::bigint + 1
    ) n GROUP BY n.workflow
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

/**
 * Counts executions by the time of their creation: from $1, in buckets of $2 ms, of workflow $3 or all. Of each workflow the
 * newest $4 are read, by the index of workflow and time.
 */
export const readSeries: Statement<SeriesRow & { readonly completeSince: Date | null }> = {
  name: 'read_series',
  columns: SERIES,
  text: ({ definition, execution }) => `WITH named AS (
    SELECT DISTINCT name FROM ${definition} WHERE ${isAskedFor('name', '$3')}
  ), newest AS MATERIALIZED (
    SELECT x.* FROM named d CROSS JOIN LATERAL (
      SELECT e.workflow, e.status, e.created_at, e.started_at, e.completed_at FROM ${execution} e
      WHERE e.workflow = d.name AND e.created_at >= $1::timestamptz
      ORDER BY e.created_at DESC LIMIT $4::integer
    ) x
  ), cut AS (
    SELECT max(c.oldest) AS since FROM (
      SELECT min(created_at) AS oldest FROM newest GROUP BY workflow HAVING count(*) = $4::integer
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
