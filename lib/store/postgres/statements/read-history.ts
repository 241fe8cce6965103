import { MAX_HISTORY_EVENTS, type HistoryRow } from '../../port/index.js';
import { bigint, columns, epochMs, instant, json, jsonb, orNull, parsed, text } from './columns.js';
import type { Statement, TenantTables } from './statement.js';

const HISTORY = columns({
  workflow: text,
  definitionId: bigint,
  status: text,
  error: orNull(json),
  reason: orNull(text),
  idempotencyKey: orNull(text),
  tags: orNull(jsonb),
  runAt: orNull(instant),
  createdAt: instant,
  startedAt: orNull(instant),
  completedAt: orNull(instant),
  tasks: parsed<HistoryRow['tasks']>([]),
  events: parsed<HistoryRow['events']>([]),
  recoveries: parsed<HistoryRow['recoveries']>([]),
});

const tasksOf = ({ task, lease }: TenantTables): string => `(
      SELECT json_agg(json_build_object(
        'taskNo', t.task_no, 'status', t.status, 'attempt', t.attempt, 'attempts', t.attempts, 'error', t.error,
        'skipReason', t.skip_reason, 'owner', t.owner,
        'process', (SELECT l.name FROM ${lease} l WHERE l.instance_id = t.owner),
        'startedAt', t.started_at, 'completedAt', t.completed_at) ORDER BY t.task_no)
      FROM ${task} t WHERE t.execution_id = x.id AND t.item_no = 0)`;

const eventsOf = ({ event }: TenantTables): string => `(
      SELECT json_agg(json_build_object('taskNo', e.task_no, 'kind', e.kind, 'detail', e.detail,
        'at', e.created_at) ORDER BY e.id)
      FROM (SELECT * FROM ${event} e WHERE e.execution_id = x.id AND coalesce(e.item_no, 0) = 0 ORDER BY e.id DESC LIMIT ${MAX_HISTORY_EVENTS}) e)`;

const recoveriesOf = ({ recoveryEvent }: TenantTables): string => `(
      SELECT json_agg(json_build_object('taskNo', r.task_no, 'kind', r.kind, 'cause', r.cause,
        'previousOwner', r.previous_owner, 'orphanedForMs', r.orphaned_for_ms,
        'at', r.created_at) ORDER BY r.id)
      FROM ${recoveryEvent} r WHERE r.execution_id = x.id AND r.item_no = 0)`;

/**
 * Reads an execution's rows and events in one statement, and so in one snapshot. A retry moves facts from a row into an
 * event, so with two statements a fact could appear twice or not at all. Times in JSON are in the server's text format, as
 * in the columns `attempts` and `detail`, so that all of them are truncated to milliseconds in the same way.
 */
export const readHistory: Statement<HistoryRow> = {
  name: 'read_history',
  columns: HISTORY,
  text: (tables) => `SELECT ${HISTORY.select({
    workflow: 'x.workflow',
    definitionId: 'x.definition_id',
    status: 'x.status',
    error: 'x.error',
    reason: 'x.reason',
    idempotencyKey: 'x.idempotency_key',
    tags: 'x.tags',
    runAt: epochMs('x.run_at'),
    createdAt: epochMs('x.created_at'),
    startedAt: epochMs('x.started_at'),
    completedAt: epochMs('x.completed_at'),
    tasks: tasksOf(tables),
    events: eventsOf(tables),
    recoveries: recoveriesOf(tables),
  })}
  FROM ${tables.execution} x WHERE x.id = $1::uuid`,
};
