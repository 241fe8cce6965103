import {
  bigint,
  boolean,
  columns,
  epochMs,
  instant,
  integer,
  json,
  jsonb,
  orNull,
  text,
  uuid,
  type Column,
} from './columns.js';
import { boundedPage, type Walk } from './bounded-walk.js';
import {
  CREATED_AT_MICROS,
  isAskedFor,
  pageOf,
  SOURCES,
  type SourceName,
} from './execution-sources.js';
import {
  isOrphaned,
  openWaitOf,
  START_BEFORE,
  TURN,
  waitingTurn,
  waitOf,
  type WaitJson,
} from './execution-rows.js';
import type { Statement, TenantTables } from './statement.js';
import type { ListedExecution, WaitingTask } from '../../port/index.js';

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

const FIELDS = {
  id: uuid,
  workflow: text,
  definitionId: bigint,
  version: orNull(text),
  status: text,
  error: orNull(json),
  failedTask: orNull(integer),
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
  startBefore: orNull(instant),
  turn: waitingTurn,
  createdAtMicros: bigint,
};
const LISTED = columns(FIELDS);
/** The same, and whether the row is the place where the look of a bounded list has ended. */
const BOUNDED = columns({ ...FIELDS, isEnd: boolean });

/**
 * Selects the task that execution `x` waits for, by primary key. Running tasks come first: with a living owner, nothing
 * waits. Items are left out, as in the details of an execution: their map waits for them. So of a map with 100,000 items
 * the index is read, and no row.
 */
const waitingTask = (tables: TenantTables): string => `(
      SELECT json_build_object('executionId', w.execution_id, 'taskNo', w.task_no, 'itemNo', w.item_no, 'status', w.status,
        'attempt', w.attempt, 'paused', w.paused, 'deferred', w.deferred_since IS NOT NULL,
        'runAt', ${epochMs('w.run_at')}, 'limitKey', w.limit_key, 'isOrphaned', w.is_orphaned, 'wait', w.wait)
      FROM (
        SELECT t.*, ${isOrphaned(tables)} AS is_orphaned, ${openWaitOf(tables)} AS wait FROM ${tables.task} t
        WHERE t.execution_id = x.id AND t.item_no = 0 AND t.status IN ('Ready', 'Running', 'Waiting')
        ORDER BY t.status <> 'Running', is_orphaned, t.run_at, t.task_no LIMIT 1
      ) w
      WHERE w.status <> 'Running' OR w.is_orphaned)`;

/** Of execution `x`, the first task whose failure was not handled, by primary key. */
const failedTask = (tables: TenantTables, column: string): string => `(
      SELECT ${column} FROM ${tables.task} t
      WHERE t.execution_id = x.id AND t.item_no = 0 AND t.status || '' = 'Failed' AND NOT t.failure_handled
        ORDER BY t.task_no LIMIT 1)`;

/**
 * The columns of a list. No context is read. Tasks are found by primary key, and only for executions that show one: for
 * a Failed execution the first task whose failure was not handled, and for an unfinished one the task that it waits for.
 */
const summaryOf = (tables: TenantTables) => ({
  id: 'x.id',
  workflow: 'x.workflow',
  definitionId: 'x.definition_id',
  version: `(SELECT d.version FROM ${tables.definition} d WHERE d.id = x.definition_id)`,
  status: 'x.status',
  error: `CASE WHEN x.error IS NULL AND x.status = 'Failed' THEN ${failedTask(tables, 't.error')} ELSE x.error END`,
  failedTask: `CASE WHEN x.error IS NULL AND x.status = 'Failed' THEN ${failedTask(tables, 't.task_no')} END`,
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
  startBefore: START_BEFORE,
  turn: TURN,
  createdAtMicros: CREATED_AT_MICROS,
});

function listOf(name: string, source: SourceName, more = ''): Statement<ListedExecution> {
  return {
    name,
    columns: LISTED,
    text: (tables) => pageOf(LISTED.select(summaryOf(tables)), SOURCES[source](tables, more)),
  };
}

/** Where the filter does not say which executions: the library's own workflows only by their names. */
const ASKED_FOR = ` AND ${isAskedFor('e.workflow')}`;

/** The pages of `list`, by the source of their executions. */
export const LISTS: Readonly<Record<SourceName, Statement<ListedExecution>>> = {
  any: listOf('list_executions', 'any'),
  unfinished: listOf('list_unfinished', 'unfinished', ASKED_FOR),
  tagged: listOf('list_tagged', 'tagged', ASKED_FOR),
  waiting: listOf('list_waiting', 'waiting'),
  limited: listOf('list_limited', 'limited'),
  children: listOf('list_children', 'children'),
  keyed: listOf('list_by_key', 'keyed'),
  given: listOf('list_given', 'given'),
};

/** Unfinished executions, also those of the library's own workflows. */
export const listAllUnfinished = listOf('list_all_unfinished', 'unfinished');

function boundedOf(name: string, walk: Walk): Statement<ListedExecution & { isEnd: boolean }> {
  return {
    name,
    columns: BOUNDED,
    text: (tables) =>
      boundedPage(tables, walk, BOUNDED.select({ ...summaryOf(tables), isEnd: 'p.is_end' })),
  };
}

/** Pages that look at a bounded number of executions, by the index that they walk. */
export const BOUNDED_LISTS = {
  any: boundedOf('list_within', 'any'),
  unfinished: boundedOf('list_unfinished_within', 'unfinished'),
} as const;
