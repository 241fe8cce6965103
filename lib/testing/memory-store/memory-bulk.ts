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
import { deleteTree } from './memory-deletion.js';
import { matchingExecutions, newestFirst } from './memory-list.js';
import type { MemoryTables } from './memory-tables.js';

/** No row is locked in memory, so nothing is ever left. */
export function controlMany(
  tables: MemoryTables,
  action: BulkAction,
  ids: readonly string[],
  reason: string | null,
  actor: string | null,
): BulkReply {
  const changed = [...new Set(ids)].flatMap((id) =>
    changedBy(id, ACTIONS[action](tables, id, reason, actor)),
  );
  return { changed, left: [] };
}

export function deleteMany(tables: MemoryTables, ids: readonly string[]): BulkDeletion {
  return { deleted: [...new Set(ids)].filter((id) => deleteTree(tables, id)), left: [] };
}

const ACTIONS: Readonly<
  Record<
    BulkAction,
    (tables: MemoryTables, id: string, reason: string | null, actor: string | null) => ControlResult
  >
> = { cancel, pause, resume: (tables, id, _reason, actor) => resume(tables, id, actor) };

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
