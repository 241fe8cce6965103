import type { TaskKey } from './claims.js';

/**
 * The order in which every statement locks task rows: by execution, then by task number, which is a topological order,
 * then items before their task. The outcome of an item counts down its task, as that of a task counts down its
 * dependents. Batches are sorted by this order before they are sent, because statements that lock in different orders can
 * deadlock.
 */
export function byLockOrder(a: TaskKey, b: TaskKey): number {
  if (a.executionId !== b.executionId) return a.executionId < b.executionId ? -1 : 1;
  return a.taskNo - b.taskNo || b.itemNo - a.itemNo;
}
