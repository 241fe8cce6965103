import {
  bigint,
  columns,
  epochMs,
  instant,
  json,
  jsonb,
  orNull,
  text,
  uuid,
  type Column,
} from './columns.js';
import { isOrphaned, openWaitOf, waitOf, type WaitJson } from './execution-rows.js';
import type { Statement, TenantTables } from './statement.js';
import type { ListedExecution, WaitingTask } from '../../port/index.js';

/** The caller's upper bound of created_at. */
export const BEFORE = `coalesce($3::timestamptz, 'infinity')`;
const AFTER_LAST = `coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')`;

/**
 * Restricts the index range to a page, with exactly one bound at each end: of two bounds at one end an index scan uses only
 * one. Omitted bounds are infinite: in a generic plan, a condition like `$2 IS NULL OR …` can't use the index. In both
 * cases a page would read all executions before it.
 */
const PAGE_RANGE = `e.created_at > coalesce($2::timestamptz, '-infinity')
      AND (e.created_at, e.id) < (
        least(${BEFORE}, ${AFTER_LAST}),
        CASE WHEN ${BEFORE} <= ${AFTER_LAST} THEN '00000000-0000-0000-0000-000000000000' ELSE $4::uuid END)`;

/** A task in the JSON that the statement builds. */
type WaitingJson = Omit<WaitingTask, 'runAt' | 'wait'> & {
  readonly runAt: number | null;
  readonly wait: WaitJson | null;
};

const waiting: Column<WaitingTask | null> = {
  type: 'json',
  decode: (value) => {
    if (value === null) return null;
    const { runAt, wait, ...task } = JSON.parse(value) as WaitingJson;
    return { ...task, runAt: runAt === null ? null : new Date(runAt), wait: waitOf(wait) };
  },
};

const LISTED = columns({
  id: uuid,
  workflow: text,
  definitionId: bigint,
  version: orNull(text),
  status: text,
  error: orNull(json),
  reason: orNull(text),
  idempotencyKey: orNull(text),
  tags: orNull(jsonb),
  waiting,
  createdAt: instant,
  startedAt: orNull(instant),
  completedAt: orNull(instant),
  parentId: orNull(uuid),
  parentStep: orNull(text),
  rootId: orNull(uuid),
  createdAtMicros: bigint,
});

/**
 * Selects the task that execution `x` waits for, by primary key. Running tasks come first: with a living owner, nothing
 * waits.
 */
const waitingTask = (tables: TenantTables): string => `(
      SELECT json_build_object('executionId', w.execution_id, 'taskNo', w.task_no, 'itemNo', w.item_no, 'status', w.status,
        'attempt', w.attempt, 'paused', w.paused, 'deferred', w.deferred_since IS NOT NULL,
        'runAt', ${epochMs('w.run_at')}, 'isOrphaned', w.is_orphaned, 'wait', w.wait)
      FROM (
        SELECT t.*, ${isOrphaned(tables)} AS is_orphaned, ${openWaitOf(tables)} AS wait FROM ${tables.task} t
        WHERE t.execution_id = x.id AND t.status IN ('Ready', 'Running', 'Waiting')
        ORDER BY t.status <> 'Running', is_orphaned, t.run_at, t.task_no, t.item_no LIMIT 1
      ) w
      WHERE w.status <> 'Running' OR w.is_orphaned)`;

/**
 * The columns of a list. No context is read. Tasks are found by primary key, and only for executions that show one: for
 * a Failed execution the first task whose failure was not handled, and for an unfinished one the task that it waits for.
 */
const SUMMARY = (tables: TenantTables): string =>
  LISTED.select({
    id: 'x.id',
    workflow: 'x.workflow',
    definitionId: 'x.definition_id',
    version: `(SELECT d.version FROM ${tables.definition} d WHERE d.id = x.definition_id)`,
    status: 'x.status',
    error: `CASE WHEN x.error IS NULL AND x.status = 'Failed' THEN (
      SELECT t.error FROM ${tables.task} t
      WHERE t.execution_id = x.id AND t.status = 'Failed' AND NOT t.failure_handled
        ORDER BY t.task_no, t.item_no LIMIT 1)
      ELSE x.error END`,
    reason: 'x.reason',
    idempotencyKey: 'x.idempotency_key',
    tags: 'x.tags',
    waiting: `CASE WHEN x.status IN ('Pending', 'Running', 'Finishing') THEN ${waitingTask(tables)} END`,
    createdAt: epochMs('x.created_at'),
    startedAt: epochMs('x.started_at'),
    completedAt: epochMs('x.completed_at'),
    parentId: 'x.parent_execution_id',
    parentStep: 'x.parent_step',
    rootId: 'x.root_execution_id',
    createdAtMicros: '(extract(epoch FROM x.created_at) * 1000000)::bigint',
  });

/**
 * A page of executions, newest first. One index (workflow, created_at) serves pages of one workflow and of all workflows:
 * there are few workflows, and their rows are merged.
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

/** A page of executions with statuses other than Completed. Their partial index contains few of many executions. */
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

/**
 * Executions that have all of some tags, by the index of tags, or by that of statuses if it is more selective. OFFSET 0
 * keeps outer conditions out: with a condition on the time, a plan could scan the whole index of workflows; with an order,
 * it could walk through all executions of a workflow to find the few with these tags.
 */
export function taggedExecutions(
  { execution }: TenantTables,
  tags: string,
  statuses: string,
): string {
  return `(SELECT * FROM ${execution} e
    WHERE e.tags @> ${tags}::jsonb AND (${statuses}::text[] IS NULL OR e.status = ANY (${statuses}::text[]))
    OFFSET 0) e`;
}

/** A page of executions with all of some tags ($8). It reads all of them and sorts out the newest. */
export const listTagged: Statement<ListedExecution> = {
  name: 'list_tagged',
  columns: LISTED,
  text: (tables) => `SELECT ${SUMMARY(tables)}
  FROM (
    SELECT * FROM ${taggedExecutions(tables, '$8', '$6')}
    WHERE ($1::text IS NULL OR e.workflow = $1::text) AND ${PAGE_RANGE}
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC`,
};

/**
 * A page of executions with a task that waits for a signal or event of a name ($8), and optionally an idempotency key ($9)
 * and tags ($10). The index of open checkpoints finds them; all of them are read and sorted. A task that has ended may have
 * left an open checkpoint.
 */
export const listWaiting: Statement<ListedExecution> = {
  name: 'list_waiting',
  columns: LISTED,
  text: (tables) => `SELECT ${SUMMARY(tables)}
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
      AND ($10::jsonb IS NULL OR e.tags @> $10::jsonb)
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC`,
};

/**
 * A page of the children of an execution ($8), or of all executions under it ($9), by the index of parents. It reads all of
 * them and sorts out the newest. Optionally with tags ($10), a key ($11) or a task that waits for a
 * message ($12).
 */
export const listChildren: Statement<ListedExecution> = {
  name: 'list_children',
  columns: LISTED,
  text: (tables) => `WITH RECURSIVE tree AS (
    SELECT c.id, $9::uuid IS NOT NULL AS deeper FROM ${tables.execution} c
    WHERE c.parent_execution_id = coalesce($8::uuid, $9::uuid) AND c.parent_execution_id IS NOT NULL
    UNION ALL
    SELECT c.id, true FROM tree t CROSS JOIN LATERAL (
      SELECT c.id FROM ${tables.execution} c
      WHERE t.deeper AND c.parent_execution_id = t.id AND c.parent_execution_id IS NOT NULL
    ) c
  )
  SELECT ${SUMMARY(tables)}
  FROM (
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
          AND t.status = 'Waiting'))
    ORDER BY e.created_at DESC, e.id DESC LIMIT $7::integer
  ) x
  ORDER BY x.created_at DESC, x.id DESC`,
};

/** A page of executions with an idempotency key ($8), at most one per workflow, and optionally tags ($9). */
export const listByKey: Statement<ListedExecution> = {
  name: 'list_by_key',
  columns: LISTED,
  text: (tables) => `SELECT ${SUMMARY(tables)}
  FROM (SELECT DISTINCT name FROM ${tables.definition} WHERE $1::text IS NULL OR name = $1::text) d
  CROSS JOIN LATERAL (
    SELECT * FROM ${tables.execution} e
    WHERE e.workflow = d.name AND e.idempotency_key = $8::text AND e.idempotency_key IS NOT NULL
      AND ${PAGE_RANGE}
      AND ($6::text[] IS NULL OR e.status = ANY ($6::text[]))
      AND ($9::jsonb IS NULL OR e.tags @> $9::jsonb)
    LIMIT 1
  ) x
  ORDER BY x.created_at DESC, x.id DESC LIMIT $7::integer`,
};
