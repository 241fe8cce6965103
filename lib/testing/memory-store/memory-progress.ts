import type { ProgressReport, StoredProgress, TaskKey } from '../../store/port/index.js';
import { isOpenTask, type MemoryTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** Replaces the progress of tasks whose claims are held. */
export function reportProgress(tables: MemoryTables, reports: readonly ProgressReport[]): void {
  for (const report of reports) {
    const task = tables.task(report);
    if (task?.claimToken !== report.token) continue;
    const { value, token } = report;
    task.progress = { value, token, at: tables.now() };
  }
}

/** Deletes the progress of those of the tasks that have ended. */
export function clearProgress(tables: MemoryTables, keys: readonly TaskKey[]): void {
  for (const key of keys) {
    const task = tables.task(key);
    if (task !== undefined && !isOpenTask(task)) task.progress = null;
  }
}

/** What the task's latest run has reported, unless the task has ended. */
export function progressOf(task: MemoryTask): StoredProgress | null {
  const { claimToken, progress, startedAt, status } = task;
  const isShown = status === 'Running' || status === 'Waiting' || status === 'Ready';
  if (!isShown || progress === null || startedAt === null) return null;
  // PostgreSQL compares times. Here a millisecond may have several runs. A claim adds 1 to its token when it ends.
  if (claimToken !== progress.token && claimToken !== progress.token + 1) return null;
  return { value: progress.value, updatedAt: new Date(progress.at) };
}
