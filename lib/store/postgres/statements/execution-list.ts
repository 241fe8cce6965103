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
import { isOrphaned } from './execution-rows.js';
import type { Statement, TenantTables } from './statement.js';
import type { ListedExecution, WaitingTask } from '../../port/index.js';

/** The bound on created_at that the caller gave. */
export const BEFORE = `coalesce($3::timestamptz, 'infinity')`;
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

/** A task as the statement's text puts it into JSON. */
type WaitingJson = Omit<WaitingTask, 'runAt'> & { readonly runAt: number | null };

const waiting: Column<WaitingTask | null> = {
  type: 'json',
  decode: (value) => {
    if (value === null) return null;
    const { runAt, ...task } = JSON.parse(value) as WaitingJson;
    return { ...task, runAt: runAt === null ? null : new Date(runAt) };
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
  createdAtMicros: bigint,
});

/** The task that execution `x` waits with, by the primary key. Running tasks come first: with one that has a process it doesn't wait. */
const waitingTask = (tables: TenantTables): string => `(
      SELECT json_build_object('executionId', w.execution_id, 'taskNo', w.task_no, 'status', w.status,
        'attempt', w.attempt, 'paused', w.paused, 'deferred', w.deferred_since IS NOT NULL,
        'runAt', ${epochMs('w.run_at')}, 'isOrphaned', w.is_orphaned)
      FROM (
        SELECT t.*, ${isOrphaned(tables)} AS is_orphaned FROM ${tables.task} t
        WHERE t.execution_id = x.id AND t.status IN ('Ready', 'Running')
        ORDER BY t.status DESC, is_orphaned, t.run_at, t.task_no LIMIT 1
      ) w
      WHERE w.status = 'Ready' OR w.is_orphaned)`;

/**
 * What a page shows of each execution. No context is read. Tasks are found by the primary key, and only those of
 * executions that show something of one: the error of one that Failed, which is that of the first task whose failure
 * was not handled, and what one that has not ended waits for.
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
      WHERE t.execution_id = x.id AND t.status = 'Failed' AND NOT t.failure_handled ORDER BY t.task_no LIMIT 1)
      ELSE x.error END`,
    reason: 'x.reason',
    idempotencyKey: 'x.idempotency_key',
    tags: 'x.tags',
    waiting: `CASE WHEN x.status IN ('Pending', 'Running') THEN ${waitingTask(tables)} END`,
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

/**
 * The executions with all of some tags, by the index of tags, or that of statuses if it narrows the search. OFFSET 0
 * keeps other conditions outside: with one on the time a plan may read the index of workflows from end to end, and with
 * an order walk through all executions of a workflow to find the few with the tags among them.
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

/** The same for executions with all of some tags ($8). All of them are read, and the newest are sorted out. */
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

/** The same for those with an idempotency key ($8), one of each workflow at most, and, if asked for, tags ($9). */
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
