import { boolean, columns, integer, orNull, text } from './columns.js';
import type { Statement } from './statement.js';
import type { FiringPrune, PrunedFirings } from '../../port/index.js';

/** Number of schedules that one statement looks at. */
const PAGE = 50;
/** Maximum number of records of one schedule that it deletes. */
const MAX_OF_SCHEDULE = 200;

const PRUNED = columns({ deleted: integer, hasMore: boolean, last: orNull(text) });
type PrunedRow = ReturnType<typeof PRUNED.decode>[number];

/** A condition on record `f`: it stands for records that are gone, or is old. */
const OLD = (now: string): string =>
  `(f.outcome = 'pruned' OR f.fired_at < ${now} - $2::bigint * interval '1 millisecond')`;

/**
 * Deletes old records of firings: of each schedule, those at the beginning, in the order of their instants, up to the first
 * one that is not old or belongs to the latest $3.
 *
 * **One row stands for them.** The first record becomes a range with the outcome `pruned`. A backfill finds the range, and
 * starts nothing for its instants, which may have had executions.
 *
 * **Several processes.** The first record is compared with the read one under the lock of its update, and only the one
 * statement that has changed it deletes the others. So the range always covers the deleted records.
 *
 * Records from the next instant of the schedule on stay: what a resume records later must not lie within the range.
 */
export const pruneFirings: Statement<PrunedRow> = {
  name: 'prune_firings',
  columns: PRUNED,
  text: ({ clock, schedule, scheduleFiring }) => `WITH page AS MATERIALIZED (
    SELECT c.name, c.next_for FROM ${schedule} c WHERE c.name > $1::text ORDER BY c.name LIMIT ${PAGE}
  ), begins AS MATERIALIZED (
    SELECT p.* FROM page p WHERE (
      SELECT count(*) = 2 AND bool_and(f.is_old) FROM (
        SELECT ${OLD(clock.statement)} AS is_old FROM ${scheduleFiring} f
        WHERE f.schedule = p.name ORDER BY f.scheduled_for LIMIT 2
      ) f
    )
  ), old AS MATERIALIZED (
    SELECT o.* FROM begins p CROSS JOIN LATERAL (
      SELECT f.scheduled_for AS last FROM ${scheduleFiring} f
      WHERE f.schedule = p.name ORDER BY f.scheduled_for DESC OFFSET $3::integer LIMIT 1
    ) b CROSS JOIN LATERAL (
      SELECT f.*, bool_and(f.is_old) OVER (ORDER BY f.scheduled_for) AS all_old FROM (
        SELECT f.*, ${OLD(clock.statement)} AS is_old FROM ${scheduleFiring} f
        WHERE f.schedule = p.name AND f.scheduled_for <= b.last AND f.scheduled_for < coalesce(p.next_for, 'infinity')
        ORDER BY f.scheduled_for LIMIT ${MAX_OF_SCHEDULE}
      ) f
    ) o
    WHERE o.all_old
  ), summed AS MATERIALIZED (
    SELECT o.schedule, min(o.scheduled_for) AS first, max(coalesce(o.until, o.scheduled_for)) AS last,
           least(sum(o.count), 2147483647)::integer AS total, count(*) AS records,
           (array_agg(o.outcome ORDER BY o.scheduled_for))[1] AS outcome,
           (array_agg(o.until ORDER BY o.scheduled_for))[1] AS until,
           (array_agg(o.count ORDER BY o.scheduled_for))[1] AS count
    FROM old o GROUP BY o.schedule HAVING count(*) > 1
  ), range AS (
    UPDATE ${scheduleFiring} f
    SET outcome = 'pruned', execution_id = NULL, due_at = NULL, until = s.last, count = s.total
    FROM summed s WHERE f.schedule = s.schedule AND f.scheduled_for = s.first
      AND f.outcome = s.outcome AND f.count = s.count AND f.until IS NOT DISTINCT FROM s.until
    RETURNING f.schedule, f.scheduled_for
  ), deleted AS (
    DELETE FROM ${scheduleFiring} f USING old o, range r
    WHERE f.schedule = o.schedule AND f.scheduled_for = o.scheduled_for
      AND r.schedule = o.schedule AND o.scheduled_for > r.scheduled_for
    RETURNING f.schedule
  )
  SELECT ${PRUNED.select({
    deleted: '(SELECT count(*) FROM deleted)::integer',
    hasMore: `EXISTS (SELECT FROM summed WHERE records = ${MAX_OF_SCHEDULE})`,
    last: `(SELECT max(name) FROM page HAVING count(*) = ${PAGE})`,
  })}`,
};

export function pruneFiringsValues({ after, olderThanMs, keep }: FiringPrune): unknown[] {
  return [after ?? '', olderThanMs, keep];
}

export function prunedFiringsOf(
  [row]: readonly PrunedRow[],
  { after }: Pick<FiringPrune, 'after'>,
): PrunedFirings {
  const { deleted = 0, hasMore = false, last = null } = row ?? {};
  const next = hasMore ? after : last;
  return { deleted, next, isDone: !hasMore && last === null };
}
