import { MAX_HISTORY_CHILDREN, MAX_HISTORY_EVENTS, type HistoryRow } from '../../port/index.js';
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
  waits: parsed<HistoryRow['waits']>([]),
  steps: parsed<HistoryRow['steps']>([]),
  recoveries: parsed<HistoryRow['recoveries']>([]),
  children: parsed<HistoryRow['children']>([]),
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

/** The checkpoints of the messages of one wait are left out: the wait has one of its own. */
const waitsOf = ({ step }: TenantTables): string => `(
      SELECT json_agg(json_build_object('taskNo', w.task_no, 'name', w.name, 'kind', w.kind, 'status', w.status,
        'message', w.event_name, 'startedAt', w.started_at, 'completedAt', w.completed_at)
        ORDER BY w.started_at, w.task_no, w.name)
      FROM (
        SELECT * FROM ${step} s
        WHERE s.execution_id = x.id AND s.item_no = 0 AND s.kind <> 'step' AND strpos(s.name, '##') = 0
        ORDER BY s.started_at DESC LIMIT ${MAX_HISTORY_EVENTS}) w)`;

/** By the first columns of the key of the steps, as the waits. */
const stepsOf = ({ step }: TenantTables): string => `(
      SELECT json_agg(json_build_object('taskNo', d.task_no, 'name', d.name,
        'startedAt', d.started_at, 'completedAt', d.completed_at) ORDER BY d.started_at, d.task_no, d.name)
      FROM (
        SELECT * FROM ${step} s WHERE s.execution_id = x.id AND s.item_no = 0 AND s.kind = 'step'
        ORDER BY s.started_at DESC LIMIT ${MAX_HISTORY_EVENTS}) d)`;

const recoveriesOf = ({ recoveryEvent }: TenantTables): string => `(
      SELECT json_agg(json_build_object('taskNo', r.task_no, 'kind', r.kind, 'cause', r.cause,
        'previousOwner', r.previous_owner, 'orphanedForMs', r.orphaned_for_ms,
        'at', r.created_at) ORDER BY r.id)
      FROM ${recoveryEvent} r WHERE r.execution_id = x.id AND r.item_no = 0)`;

/** By the first columns of the key of the steps. */
const childrenOf = ({ step }: TenantTables): string => `(
      SELECT json_agg(json_build_object('taskNo', s.task_no, 'name', s.name, 'childId', s.child_id, 'status', s.status,
        'awaited', s.event_name IS NOT NULL, 'result', s.result, 'startedAt', s.started_at, 'completedAt', s.completed_at) ORDER BY s.started_at, s.task_no, s.name)
      FROM (
        SELECT * FROM ${step} s WHERE s.execution_id = x.id AND s.kind = 'child' AND s.item_no = 0
        ORDER BY s.started_at DESC, s.name DESC LIMIT ${MAX_HISTORY_CHILDREN}
      ) s)`;

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
    waits: waitsOf(tables),
    steps: stepsOf(tables),
    recoveries: recoveriesOf(tables),
    children: childrenOf(tables),
  })}
  FROM ${tables.execution} x WHERE x.id = $1::uuid`,
};
