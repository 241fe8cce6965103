import {
  MAX_HISTORY_CHILDREN,
  MAX_HISTORY_EVENTS,
  type HistoryRow,
} from '../../store/port/index.js';
import type { MemoryStep } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** Reads an execution's rows and events in one statement. */
export function readHistory(tables: MemoryTables, id: string): HistoryRow | undefined {
  const execution = tables.executions.get(id);
  if (execution === undefined) return undefined;
  const { workflow, definitionId, status, error, reason, idempotencyKey, tags } = execution;
  return {
    workflow,
    definitionId,
    status,
    error,
    reason,
    idempotencyKey,
    tags,
    runAt: date(execution.runAt),
    createdAt: new Date(execution.createdAt),
    startedAt: date(execution.startedAt),
    completedAt: date(execution.completedAt),
    tasks: tables.tasksOf(id).map((task) => ({
      taskNo: task.taskNo,
      status: task.status,
      attempt: task.attempt,
      attempts: parsed(task.attempts) as HistoryRow['tasks'][number]['attempts'],
      error: parsed(task.error),
      skipReason: task.skipReason,
      owner: task.owner,
      process: (task.owner === null ? undefined : tables.leases.get(task.owner)?.name) ?? null,
      startedAt: date(task.startedAt)?.toISOString() ?? null,
      completedAt: date(task.completedAt)?.toISOString() ?? null,
    })),
    events: tables.events
      .filter(({ executionId, itemNo }) => executionId === id && (itemNo ?? 0) === 0)
      .slice(-MAX_HISTORY_EVENTS)
      .map(({ taskNo, kind, detail, createdAt }) => ({
        taskNo,
        kind,
        detail,
        at: new Date(createdAt).toISOString(),
      })),
    waits: (tables.steps.get(id) ?? [])
      .filter(({ kind, itemNo, name }) => kind !== 'step' && itemNo === 0 && !name.includes('##'))
      .sort(byStart)
      .slice(-MAX_HISTORY_EVENTS)
      .map(({ taskNo, name, kind, status: waitStatus, listensFor, startedAt, completedAt }) => ({
        taskNo,
        name,
        kind: kind as HistoryRow['waits'][number]['kind'],
        status: waitStatus,
        message: listensFor?.name ?? null,
        startedAt: new Date(startedAt).toISOString(),
        completedAt: date(completedAt)?.toISOString() ?? null,
      })),
    steps: (tables.steps.get(id) ?? [])
      .filter(({ kind, itemNo }) => kind === 'step' && itemNo === 0)
      .sort(byStart)
      .slice(-MAX_HISTORY_EVENTS)
      .map(({ taskNo, name, startedAt, completedAt }) => ({
        taskNo,
        name,
        startedAt: new Date(startedAt).toISOString(),
        completedAt: new Date(completedAt ?? startedAt).toISOString(),
      })),
    recoveries: tables.recoveryEvents
      .filter(({ executionId, itemNo }) => executionId === id && itemNo === 0)
      .map(({ taskNo, kind, cause, previousOwner, orphanedForMs, createdAt }) => ({
        taskNo,
        kind,
        cause,
        previousOwner,
        orphanedForMs,
        at: new Date(createdAt).toISOString(),
      })),
    children: childrenOf(tables, id),
  };
}

function childrenOf(tables: MemoryTables, id: string): HistoryRow['children'] {
  return (tables.steps.get(id) ?? [])
    .filter(({ kind, itemNo }) => kind === 'child' && itemNo === 0)
    .sort(byStart)
    .slice(-MAX_HISTORY_CHILDREN)
    .map(({ taskNo, name, childId, listensFor, status, result, startedAt, completedAt }) => ({
      taskNo,
      name,
      childId: childId ?? '',
      awaited: listensFor !== null,
      status,
      result: parsed(result),
      startedAt: new Date(startedAt).toISOString(),
      completedAt: date(completedAt)?.toISOString() ?? null,
    }));
}

/** The oldest first, those of the same time by task and name. */
function byStart(a: MemoryStep, b: MemoryStep): number {
  return a.startedAt - b.startedAt || a.taskNo - b.taskNo || (a.name < b.name ? -1 : 1);
}

function parsed(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}

function date(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
