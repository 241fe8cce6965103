import { bigint, boolean, columns, epochMs, instant, long, orNull, text } from './columns.js';
import type { Statement } from './statement.js';

const VERSIONS = columns({
  definitionId: bigint,
  version: orNull(text),
  registeredAt: instant,
  firstStartedAt: orNull(instant),
  lastStartedAt: orNull(instant),
  open: long,
  isCapped: boolean,
});

/** How many starts are looked at for the first or the last one of a definition, in the time in which they are expected. */
const STARTS = 100;

/**
 * The newest $3 definitions of workflow $1, and others with executions that have not ended.
 *
 * The executions that have not ended are read the oldest first, of each status $2 + 1 of all workflows, by the partial index of
 * statuses: it is the old definitions whose executions are asked for. The last start of a definition is one of the newest $2 of
 * the workflow. That of an older definition is the last before the next definition was registered, and the first start of each is
 * looked for from its registration on.
 */
export const readVersions: Statement<ReturnType<typeof VERSIONS.decode>[number]> = {
  name: 'read_versions',
  columns: VERSIONS,
  text: ({ definition, execution }) => `WITH unfinished AS MATERIALIZED (
    SELECT o.workflow, o.definition_id, count(*) OVER (PARTITION BY s.status) > $2::bigint AS is_capped
    FROM unnest(ARRAY['Pending', 'Running', 'Paused', 'Finishing']) s(status) CROSS JOIN LATERAL (
      SELECT e.workflow, e.definition_id FROM ${execution} e
      WHERE e.status = s.status AND e.status <> 'Completed'
      ORDER BY e.created_at LIMIT $2::bigint + 1
    ) o
  ), open AS MATERIALIZED (
    SELECT u.definition_id, count(*) AS count FROM unfinished u WHERE u.workflow = $1::text GROUP BY u.definition_id
  ), latest AS MATERIALIZED (
    SELECT n.definition_id, max(n.created_at) AS at FROM (
      SELECT e.definition_id, e.created_at FROM ${execution} e
      WHERE e.workflow = $1::text ORDER BY e.created_at DESC LIMIT $2::bigint
    ) n GROUP BY n.definition_id
  ), newest AS MATERIALIZED (
    SELECT d.id, d.version, d.registered_at FROM ${definition} d
    WHERE d.name = $1::text ORDER BY d.registered_at DESC LIMIT $3::integer
  ), listed AS MATERIALIZED (
    SELECT * FROM newest
    UNION
    SELECT d.id, d.version, d.registered_at FROM open o JOIN ${definition} d ON d.id = o.definition_id
  )
  SELECT ${VERSIONS.select({
    definitionId: 'd.id',
    version: 'd.version',
    registeredAt: epochMs('d.registered_at'),
    firstStartedAt: epochMs(`(
      SELECT f.created_at FROM (
        SELECT e.definition_id, e.created_at FROM ${execution} e
        WHERE e.workflow = $1::text AND e.created_at >= d.registered_at ORDER BY e.created_at LIMIT ${STARTS}
      ) f WHERE f.definition_id = d.id ORDER BY f.created_at LIMIT 1)`),
    lastStartedAt: epochMs(`coalesce(
      (SELECT l.at FROM latest l WHERE l.definition_id = d.id),
      (SELECT f.created_at FROM (
        SELECT e.definition_id, e.created_at FROM ${execution} e
        WHERE e.workflow = $1::text AND e.created_at < (
          SELECT s.registered_at FROM ${definition} s WHERE s.name = $1::text AND s.registered_at > d.registered_at
          ORDER BY s.registered_at LIMIT 1)
        ORDER BY e.created_at DESC LIMIT ${STARTS}
      ) f WHERE f.definition_id = d.id ORDER BY f.created_at DESC LIMIT 1))`),
    open: 'coalesce(o.count, 0)',
    isCapped: '(SELECT coalesce(bool_or(u.is_capped), false) FROM unfinished u)',
  })}
  FROM listed d LEFT JOIN open o ON o.definition_id = d.id
  ORDER BY d.registered_at DESC, d.id LIMIT $3::integer * 2`,
};
