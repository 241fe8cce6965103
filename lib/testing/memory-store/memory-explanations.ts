import { MAX_ITEM_GROUPS, type ItemCause, type OpenItems } from '../../store/port/index.js';
import { isOpenTask, type MemoryTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** The items of maps that have not ended, by cause, among the first and the last of each map. */
export function openItems(
  tables: MemoryTables,
  executionId: string,
  maps: readonly number[],
  atEach: number,
): OpenItems[] {
  const groups = new Map<string, OpenItems>();
  const rows = tables.tasks.get(executionId) ?? [];
  const counts = new Map(
    rows
      .filter(({ taskNo, itemNo }) => itemNo === 0 && maps.includes(taskNo))
      .map(({ taskNo, itemCount }) => [taskNo, Math.abs(itemCount ?? 0)]),
  );
  for (const item of rows) {
    const { taskNo, itemNo, owner, limitKey } = item;
    const count = counts.get(taskNo);
    if (itemNo === 0 || count === undefined || !isOpenTask(item)) continue;
    if (itemNo > atEach && itemNo <= count - atEach) continue;
    const cause = causeOf(item, tables.now());
    const key = JSON.stringify([taskNo, cause, owner, limitKey]);
    const { count: before, first } = groups.get(key) ?? { count: 0, first: itemNo };
    const group = { taskNo, cause, owner, limitKey, count: before + 1, first, last: itemNo };
    groups.set(key, group);
  }
  return [...groups.values()]
    .sort((a, b) => b.count - a.count || a.taskNo - b.taskNo || a.first - b.first)
    .slice(0, MAX_ITEM_GROUPS);
}

function causeOf(
  { status, paused, runAt, deferredSince, attempt }: MemoryTask,
  now: number,
): ItemCause {
  if (status === 'Running') return 'running';
  if (paused) return 'paused';
  if (status === 'NotStarted') return 'dependencies';
  if (runAt !== null && runAt <= now) return 'due';
  if (status === 'Waiting' || runAt === null) return 'waiting';
  if (deferredSince !== null) return 'condition';
  return attempt > 0 ? 'backoff' : 'startTime';
}
