import { isBuiltInName } from '../../workflow/index.js';
import type {
  BulkAction,
  BulkDeletion,
  BulkFilter,
  BulkPosition,
  BulkReply,
  ChangedExecution,
  ControlResult,
} from '../../store/port/index.js';
import { cancel, pause, resume } from './memory-control.js';
import { matchingExecutions, newestFirst } from './memory-list.js';
import type { MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** No row is locked in memory, so nothing is ever left. */
export function controlMany(
  tables: MemoryTables,
  action: BulkAction,
  ids: readonly string[],
  reason: string | null,
): BulkReply {
  const changed = [...new Set(ids)].flatMap((id) =>
    changedBy(id, ACTIONS[action](tables, id, reason)),
  );
  return { changed, left: [] };
}

export function deleteMany(tables: MemoryTables, ids: readonly string[]): BulkDeletion {
  return { deleted: [...new Set(ids)].filter((id) => deleteTree(tables, id)), left: [] };
}

const ACTIONS: Readonly<
  Record<BulkAction, (tables: MemoryTables, id: string, reason: string | null) => ControlResult>
> = { cancel, pause, resume };

function changedBy(id: string, result: ControlResult): ChangedExecution[] {
  const { changed, workflow, hasWaiters, unsettled, running } = result;
  return changed ? [{ id, workflow, hasWaiters, unsettled, wasRunning: running.length > 0 }] : [];
}

/** The executions behind a place, the newest first. */
export function findMany(
  tables: MemoryTables,
  filter: BulkFilter,
  after: BulkPosition,
): BulkPosition[] {
  return matchingExecutions(tables, filter)
    .filter(({ workflow }) => filter.workflow !== undefined || !isBuiltInName(workflow))
    .filter(({ parentExecutionId }) => !filter.isTop || parentExecutionId === null)
    .map(({ id, createdAt }) => ({ id, createdAtMicros: micros(createdAt) }))
    .filter((row) => newestFirst(after, row) < 0)
    .sort(newestFirst);
}

export function micros(ms: number): string {
  return String(Math.round(ms * 1_000));
}

/** Deletes a tree if all of it has ended and is settled. */
function deleteTree(tables: MemoryTables, top: string): boolean {
  const first = tables.executions.get(top);
  if (first === undefined || first.parentExecutionId !== null) return false;
  const tree: MemoryExecution[] = [first];
  for (const { id } of tree) {
    for (const row of tables.executions.values()) if (row.parentExecutionId === id) tree.push(row);
  }
  if (tree.some(({ completedAt, unsettled }) => completedAt === null || unsettled !== 0)) {
    return false;
  }
  const gone = new Set(tree.map(({ id }) => id));
  for (const id of gone) {
    for (const rows of [tables.executions, tables.tasks, tables.steps]) rows.delete(id);
  }
  const isKept = ({ executionId }: { readonly executionId: string | null }): boolean =>
    executionId === null || !gone.has(executionId);
  tables.events = tables.events.filter(isKept);
  tables.signals = tables.signals.filter(isKept);
  tables.recoveryEvents = tables.recoveryEvents.filter(isKept);
  return true;
}
