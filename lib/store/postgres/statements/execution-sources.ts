import { BUILT_IN_PREFIX } from '../../../workflow/index.js';
import { countsFor, LIMITED_CLAIMABLE } from './limit-candidates.js';
import type { TenantTables } from './statement.js';

/** The caller's upper bound of created_at. */
export const BEFORE = `coalesce($3::timestamptz, 'infinity')`;
const AFTER_LAST = `coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')`;

/**
 * Restricts the index range to a page, with exactly one bound at each end: of two bounds at one end an index scan uses only
 * one. Omitted bounds are infinite: in a generic plan, a condition like `$2 IS NULL OR …` can't use the index. In both
 * cases a page would read all executions before it.
 */
export const PAGE_RANGE = `e.created_at > coalesce($2::timestamptz, '-infinity')
      AND (e.created_at, e.id) < (
        least(${BEFORE}, ${AFTER_LAST}),
        CASE WHEN ${BEFORE} <= ${AFTER_LAST} THEN '00000000-0000-0000-0000-000000000000' ELSE $4::uuid END)`;

/**
 * Where the executions of a page come from: `FROM` with the executions as `x`, by the index that suits the filter. Each reads
 * no more rows than the page has, or else it reads all that match its first condition, and sorts out the newest.
 *
 * Parameters: $1 workflow, $2 and $3 the bounds of the time, $4 and $5 the last execution of the previous page, $6 statuses,
 * $7 the number of executions, and others from $8 on.
 *
 * @param more - further conditions on execution `e`, beginning with AND, or empty
 */
export type ExecutionSource = (tables: TenantTables, more: string) => string;

/** A condition: a workflow of this name is one of the application, and not of the library. */
export function isOfApplication(name: string): string {
  return `NOT starts_with(${name}, '${BUILT_IN_PREFIX}')`;
}

/** A condition: a workflow of this name is asked for ($1), or any of the application. */
export function isAskedFor(name: string, workflow = '$1'): string {
  return `(${name} = ${workflow}::text OR ${workflow}::text IS NULL AND ${isOfApplication(name)})`;
}

const NEWEST = 'ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer';

/**
 * One index (workflow, created_at) serves one workflow and all workflows: there are few of them, and their rows are merged. The
 * library's own are left out by their names, and not by the rows: the polls of a poller may be many.
 */
const anyExecutions: ExecutionSource = (tables, more) => `
  FROM (SELECT DISTINCT name FROM ${tables.definition} WHERE ${isAskedFor('name')}) d
  CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.workflow = d.name
      AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))${more}
    ${NEWEST}
  ) x`;

/** Executions with statuses other than Completed. Their partial index contains few of many executions. */
const unfinishedExecutions: ExecutionSource = (tables, more) => `
  FROM unnest($6::text[]) s(status) CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.status = s.status AND e.status <> 'Completed'
      AND ($1::text IS NULL OR e.workflow = $1::text)
      AND ${PAGE_RANGE}${more}
    ${NEWEST}
  ) x`;

/**
 * Executions that have all of some tags, by the index of tags, or by that of statuses if it is more selective. OFFSET 0
 * keeps outer conditions out: with a condition on the time, a plan could scan the whole index of workflows; with an order,
 * it could walk through all executions of a workflow to find the few with these tags.
 */
export function withTags({ execution }: TenantTables, tags: string, statuses: string): string {
  return `(SELECT * FROM ${execution} e
    WHERE e.tags @> ${tags}::jsonb AND (${statuses}::text[] IS NULL OR e.status = ANY (${statuses}::text[]))
    OFFSET 0) e`;
}

/** Executions that have all of some tags ($8). */
const taggedExecutions: ExecutionSource = (tables, more) => `
  FROM (
    SELECT * FROM ${withTags(tables, '$8', '$6')}
    WHERE ($1::text IS NULL OR e.workflow = $1::text) AND ${PAGE_RANGE}${more}
    ${NEWEST}
  ) x`;

/**
 * Executions with a task that waits for a signal or event of a name ($8), and optionally an idempotency key ($9) and tags
 * ($10). The index of open checkpoints finds them. A task that has ended may have left an open checkpoint.
 */
const waitingExecutions: ExecutionSource = (tables, more) => `
  FROM (
    SELECT e.* FROM (
      SELECT DISTINCT s.execution_id FROM ${tables.step} s
      WHERE s.event_name = $8::text AND s.status = 'Open' AND s.event_name IS NOT NULL
        AND EXISTS (
          SELECT FROM ${tables.task} t
          WHERE t.execution_id = s.execution_id AND t.task_no = s.task_no AND t.item_no = s.item_no
            AND t.status = 'Waiting')
      OFFSET 0
    ) w CROSS JOIN LATERAL (SELECT * FROM ${tables.execution} e WHERE e.id = w.execution_id) e
    WHERE ($1::text IS NULL OR e.workflow = $1::text) AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
      AND ($9::text IS NULL OR e.idempotency_key = $9::text)
      AND ($10::jsonb IS NULL OR e.tags @> $10::jsonb)${more}
    ${NEWEST}
  ) x`;

/**
 * Executions with a task that waits for a slot of a limit's key ($8) or holds one, and optionally an idempotency key ($9) and
 * tags ($10). The index of waiting tasks and the list of holders find them. If the limit is strict ($11), a task also holds its
 * slot while it waits.
 */
const limitedExecutions: ExecutionSource = (tables, more) => `
  FROM (
    SELECT e.* FROM (
      SELECT t.execution_id FROM ${tables.task} t
      WHERE ${countsFor('$8::text')} AND ${LIMITED_CLAIMABLE}
      UNION
      SELECT h.e FROM ${tables.limitSlot} s
        CROSS JOIN LATERAL unnest(s.h_execution, s.h_task, s.h_item) h(e, n, i)
        CROSS JOIN LATERAL (
          SELECT FROM ${tables.task} t
          WHERE t.execution_id = h.e AND t.task_no = h.n AND t.item_no = h.i
            AND (t.status = 'Running' OR $11::boolean AND t.status IN ('Ready', 'Waiting'))
        ) t
      WHERE s.limit_key = $8::text
    ) w CROSS JOIN LATERAL (SELECT * FROM ${tables.execution} e WHERE e.id = w.execution_id) e
    WHERE ($1::text IS NULL OR e.workflow = $1::text) AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
      AND ($9::text IS NULL OR e.idempotency_key = $9::text)
      AND ($10::jsonb IS NULL OR e.tags @> $10::jsonb)${more}
    ${NEWEST}
  ) x`;

/**
 * The children of an execution ($8), or all executions under it ($9), by the index of parents. Optionally with tags ($10), a
 * key ($11) or a task that waits for a message ($12).
 */
const childExecutions: ExecutionSource = (tables, more) => `
  FROM (
    WITH RECURSIVE tree AS (
      SELECT c.id, $9::uuid IS NOT NULL AS deeper FROM ${tables.execution} c
      WHERE c.parent_execution_id = coalesce($8::uuid, $9::uuid) AND c.parent_execution_id IS NOT NULL
      UNION ALL
      SELECT c.id, true FROM tree t CROSS JOIN LATERAL (
        SELECT c.id FROM ${tables.execution} c
        WHERE t.deeper AND c.parent_execution_id = t.id AND c.parent_execution_id IS NOT NULL
      ) c
    )
    SELECT e.* FROM tree t CROSS JOIN LATERAL (
      SELECT * FROM ${tables.execution} e WHERE e.id = t.id OFFSET 0
    ) e
    WHERE ($1::text IS NULL OR e.workflow = $1::text) AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
      AND ($10::jsonb IS NULL OR e.tags @> $10::jsonb)
      AND ($11::text IS NULL OR e.idempotency_key = $11::text)
      AND ($8::uuid IS NULL OR e.parent_execution_id = $8::uuid)
      AND ($9::uuid IS NULL OR e.root_execution_id = $9::uuid)
      AND ($12::text IS NULL OR EXISTS (
        SELECT FROM ${tables.step} s JOIN ${tables.task} t
          ON t.execution_id = s.execution_id AND t.task_no = s.task_no AND t.item_no = s.item_no
        WHERE s.execution_id = e.id AND s.event_name = $12::text AND s.status = 'Open' AND s.event_name IS NOT NULL
          AND t.status = 'Waiting'))${more}
    ${NEWEST}
  ) x`;

/** Executions with an idempotency key ($8), at most one per workflow, and optionally tags ($9). */
const keyedExecutions: ExecutionSource = (tables, more) => `
  FROM (SELECT DISTINCT name FROM ${tables.definition} WHERE $1::text IS NULL OR name = $1::text) d
  CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.workflow = d.name AND e.idempotency_key = $8::text AND e.idempotency_key IS NOT NULL
      AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
      AND ($9::jsonb IS NULL OR e.tags @> $9::jsonb)${more}
    LIMIT least(1, $7::integer)
  ) x`;

/** Executions with given ids ($8), and optionally an idempotency key ($9) and tags ($10). */
const givenExecutions: ExecutionSource = (tables, more) => `
  FROM (
    SELECT e.* FROM (SELECT DISTINCT id FROM unnest($8::uuid[]) given(id)) w
    CROSS JOIN LATERAL (SELECT * FROM ${tables.execution} e WHERE e.id = w.id) e
    WHERE ($1::text IS NULL OR e.workflow = $1::text) AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
      AND ($9::text IS NULL OR e.idempotency_key = $9::text)
      AND ($10::jsonb IS NULL OR e.tags @> $10::jsonb)${more}
    ${NEWEST}
  ) x`;

/** The sources by the filter that each suits. */
export const SOURCES = {
  any: anyExecutions,
  unfinished: unfinishedExecutions,
  tagged: taggedExecutions,
  waiting: waitingExecutions,
  limited: limitedExecutions,
  children: childExecutions,
  keyed: keyedExecutions,
  given: givenExecutions,
} as const;

export type SourceName = keyof typeof SOURCES;

/** The place of execution `x` in a page, as the next page takes it: PostgreSQL's times are finer than those of JavaScript. */
export const CREATED_AT_MICROS = '(extract(epoch FROM x.created_at) * 1000000)::bigint';

/** A page of executions, newest first. */
export function pageOf(columns: string, source: string): string {
  return `SELECT ${columns}${source}
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`;
}
