import { columns, double, epochMs, integer, long, orNull, text, uuid } from './columns.js';
import { timeText } from './fire-schedules.js';
import type { Statement, TenantTables } from './statement.js';
import type {
  FiringOutcome,
  FiringQuery,
  FiringRecord,
  ScheduleStatsRow,
  StatsQuery,
} from '../../port/index.js';

const FIRING = columns({
  scheduledFor: long,
  outcome: text as typeof text & { decode: (value: string | null) => FiringOutcome },
  until: orNull(long),
  count: integer,
  executionId: orNull(uuid),
  firedAt: long,
});

function selectFirings(tables: TenantTables): string {
  return `SELECT ${FIRING.select({
    scheduledFor: epochMs('f.scheduled_for'),
    outcome: 'f.outcome',
    until: epochMs('f.until'),
    count: 'f.count',
    executionId: 'f.execution_id',
    firedAt: epochMs('f.fired_at'),
  })} FROM ${tables.scheduleFiring} f WHERE f.schedule = $1`;
}

export const readFirings: Statement<FiringRecord> = {
  name: 'read_firings',
  columns: FIRING,
  text: (
    tables,
  ) => `${selectFirings(tables)} AND f.scheduled_for < coalesce($2::timestamptz, 'infinity')
  ORDER BY f.scheduled_for DESC LIMIT $3`,
};

export function firingsValues({ schedule, before, limit }: FiringQuery): unknown[] {
  return [schedule, timeText(before), limit];
}

/**
 * A range that begins before the first instant is among them: ranges do not overlap, so only the last one that begins before
 * can be it. Ranges have an index of their own, because behind a long history of firings there may be none.
 */
export const readFiringsBetween: Statement<FiringRecord> = {
  name: 'read_firings_between',
  columns: FIRING,
  text: (
    tables,
  ) => `${selectFirings(tables)} AND f.scheduled_for BETWEEN $2::timestamptz AND $3::timestamptz
  UNION ALL (SELECT * FROM (${selectFirings(tables)}
    AND f.scheduled_for < $2::timestamptz AND f.until IS NOT NULL ORDER BY f.scheduled_for DESC LIMIT 1
  ) r WHERE r.until >= ${epochMs('$2::timestamptz')})`,
};

const STATS = columns({
  started: long,
  caughtUp: long,
  manual: long,
  backfilled: long,
  skipped: long,
  missed: long,
  paused: long,
  medianLagMs: orNull(double),
  p95LagMs: orNull(double),
  unfinished: long,
  completed: long,
  failed: long,
  cancelled: long,
  deleted: long,
});

const times = (outcome: FiringOutcome): string =>
  `coalesce(sum(f.count) FILTER (WHERE f.outcome = '${outcome}'), 0)::bigint`;
/** A deleted execution leaves its status in the record of its firing. */
const ended = (status: string): string =>
  `count(*) FILTER (WHERE coalesce(x.status, f.ended) = '${status}')`;
/** Only of firings that started on time: those that were missed are late by design. */
const lag = (share: number): string =>
  `percentile_cont(${share}) WITHIN GROUP (ORDER BY extract(epoch FROM f.fired_at - f.due_at)::double precision * 1000)
     FILTER (WHERE f.outcome = 'started' AND f.due_at IS NOT NULL)`;

export const readScheduleStats: Statement<ScheduleStatsRow> = {
  name: 'read_schedule_stats',
  columns: STATS,
  text: (tables) => `SELECT ${STATS.select({
    started: times('started'),
    caughtUp: times('caughtUp'),
    manual: times('manual'),
    backfilled: times('backfilled'),
    skipped: times('skipped'),
    missed: times('missed'),
    paused: times('paused'),
    medianLagMs: lag(0.5),
    p95LagMs: lag(0.95),
    unfinished: "count(*) FILTER (WHERE x.status NOT IN ('Completed', 'Failed', 'Cancelled'))",
    completed: ended('Completed'),
    failed: ended('Failed'),
    cancelled: ended('Cancelled'),
    deleted: 'count(*) FILTER (WHERE f.execution_id IS NOT NULL AND x.id IS NULL)',
  })}
  FROM ${tables.scheduleFiring} f LEFT JOIN ${tables.execution} x ON x.id = f.execution_id
  WHERE f.fired_at >= $1::timestamptz AND ($2::text IS NULL OR f.schedule = $2)`,
};

export function statsValues({ since, schedule }: StatsQuery): unknown[] {
  // Not NULL: with a condition for it, no plan could use the index.
  return [timeText(since) ?? '-infinity', schedule];
}
