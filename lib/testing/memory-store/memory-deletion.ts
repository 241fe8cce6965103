import type { TreeMember } from '../../store/port/index.js';
import type { MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** An execution with all executions under it, the top first; empty if it is not at the top, or does not exist. */
function treeOf(tables: MemoryTables, top: string): MemoryExecution[] {
  const first = tables.executions.get(top);
  if (first === undefined || first.parentExecutionId !== null) return [];
  const tree = [first];
  for (const { id } of tree) {
    for (const row of tables.executions.values()) if (row.parentExecutionId === id) tree.push(row);
  }
  return tree;
}

function isDeletable({ completedAt, unsettled, legalHold }: MemoryExecution): boolean {
  return completedAt !== null && unsettled === 0 && !legalHold;
}

export function membersOf(tables: MemoryTables, top: string): TreeMember[] {
  return treeOf(tables, top).map((row) => ({
    top,
    id: row.id,
    generation: row.generation,
    isReady: isDeletable(row),
  }));
}

/** Deletes a tree if all of it has ended and is settled. */
export function deleteTree(tables: MemoryTables, top: string): boolean {
  const tree = treeOf(tables, top);
  if (tree.length === 0 || !tree.every(isDeletable)) return false;
  const gone = new Map(tree.map((row) => [row.id, row]));
  for (const id of gone.keys()) {
    for (const rows of [tables.executions, tables.tasks, tables.steps]) rows.delete(id);
  }
  const isKept = ({ executionId }: { readonly executionId: string | null }): boolean =>
    executionId === null || !gone.has(executionId);
  tables.events = tables.events.filter(isKept);
  tables.signals = tables.signals.filter(isKept);
  tables.recoveryEvents = tables.recoveryEvents.filter(isKept);
  for (const firing of tables.firings) {
    const ended = firing.executionId === null ? undefined : gone.get(firing.executionId);
    if (ended !== undefined) firing.ended = ended.status;
  }
  return true;
}
