import type { DebouncedStart, DebounceReply, DebounceResult } from '../../store/port/index.js';
import { assertStorable } from './memory-failure.js';
import { change, type MemoryExecution } from './memory-rows.js';
import { areStored, insert } from './memory-starts.js';
import type { MemoryTables } from './memory-tables.js';

/** Starts executions, or replaces the inputs of those with the same keys that have not begun. */
export function startDebounced(
  tables: MemoryTables,
  starts: readonly DebouncedStart[],
): DebounceReply {
  const items = starts.map(({ item }) => item);
  assertStorable(items.map(({ input }) => input));
  return {
    starts: starts.map((start) => startOne(tables, start)),
    definitionsAreStored: areStored(tables, items),
  };
}

function startOne(tables: MemoryTables, start: DebouncedStart): DebounceResult {
  const { item, key } = start;
  if (tables.executions.has(item.id)) return { fate: 'created', id: item.id };
  const executions = [...tables.executions.values()];
  const changed = executions.find(({ debouncedBy }) => debouncedBy === item.id);
  if (changed !== undefined) return { fate: 'updated', id: changed.id };
  const found = executions.find(
    ({ workflow, debounceKey }) => workflow === item.plan.workflow && debounceKey === key,
  );
  if (found !== undefined && canChange(found, start)) {
    update(tables, found, start);
    return { fate: 'updated', id: found.id };
  }
  if (found !== undefined) found.debounceKey = null;
  const delayMs = start.maxMs === null ? start.waitMs : Math.min(start.waitMs, start.maxMs);
  const created = { ...item, runAt: null, delayMs, idempotencyKey: null, claims: 0 };
  insert(tables, created, { claimant: { instanceId: '' } }, { debounceKey: key });
  return { fate: 'created', id: item.id };
}

function canChange(
  { startedAt, completedAt, definitionId }: MemoryExecution,
  { item }: DebouncedStart,
): boolean {
  return startedAt === null && completedAt === null && definitionId === item.plan.definitionId;
}

function update(
  tables: MemoryTables,
  execution: MemoryExecution,
  { item, waitMs, maxMs }: DebouncedStart,
): void {
  const { admitted, createdAt } = execution;
  const dueAt = Math.min(tables.now() + waitMs, maxMs === null ? Infinity : createdAt + maxMs);
  const limitKeys = JSON.parse(item.limitKeys ?? '{}') as Readonly<Record<number, string>>;
  const { id: debouncedBy, input, tags, traceContext } = item;
  change(execution, { input, tags, traceContext, debouncedBy });
  if (!admitted) change(execution, { runAt: dueAt, admissionKey: item.admission?.key ?? null });
  for (const task of tables.tasksOf(execution.id)) {
    if (task.runAt !== null && !admitted) task.runAt = dueAt;
    task.limitKey = limitKeys[task.taskNo] ?? null;
  }
}
