import {
  RESULTS_PAGE,
  type AppendReply,
  type CancelledItems,
  type ItemAppend,
  type ItemCancel,
  type ItemResultRow,
  type ItemRow,
  type MapKey,
  type MapState,
  type ResetTask,
  type ResultsFilter,
  type TaskKey,
} from '../../store/port/index.js';
import { reopenChildSteps } from './memory-child-resets.js';
import { assertStorable } from './memory-failure.js';
import { change, isOpenTask, type MemoryTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** Maximum number of items that one statement cancels. */
const MAX_CANCELLED = 5_000;

/** The items of a map, in order. */
function itemsOf(tables: MemoryTables, { executionId, taskNo }: MapKey): MemoryTask[] {
  const rows = tables.tasks.get(executionId) ?? [];
  return rows.filter((row) => row.taskNo === taskNo && row.itemNo > 0);
}

export function itemRow(tables: MemoryTables, key: TaskKey): ItemRow | undefined {
  const row = tables.task(key);
  if (row === undefined) return undefined;
  const { executionId, taskNo, itemNo } = key;
  return { executionId, taskNo, itemNo, item: row.item, hasUnmet: row.unmetDependencies > 0 };
}

export function mapState(tables: MemoryTables, map: MapKey): MapState | undefined {
  const row = tables.task({ ...map, itemNo: 0 });
  if (row === undefined) return undefined;
  const stored = Math.abs(row.itemCount ?? 0);
  const isExpanded = (row.itemCount ?? 0) > 0;
  const items = isExpanded ? itemsOf(tables, map) : [];
  const count = (status: string): number => items.filter((item) => item.status === status).length;
  const failure = items.find(({ status }) => status === 'Failed');
  const last = isExpanded || stored === 0 ? undefined : tables.task({ ...map, itemNo: stored });
  return {
    stored,
    isExpanded,
    lastItem: last?.item ?? null,
    counts: {
      completed: count('Completed'),
      failed: count('Failed'),
      cancelled: count('Cancelled'),
    },
    firstFailure: failure === undefined ? null : { itemNo: failure.itemNo, error: failure.error },
  };
}

/** Appends items. The map's counter is one higher than the number of its open items until the last append. */
export function appendItems(tables: MemoryTables, append: ItemAppend): AppendReply | undefined {
  const { executionId, stored, items, isLast, limitKeys } = append;
  assertStorable(items);
  const map = tables.task(append);
  if (map?.claimToken !== append.token || (map.itemCount ?? 0) !== -stored) return undefined;
  const now = tables.now();
  const isFirst = stored === 0;
  const held = isLast === isFirst ? 0 : isLast ? -1 : 1;
  const pendingDependencies = (isFirst ? 0 : map.pendingDependencies) + items.length + held;
  const count = stored + items.length;
  change(map, {
    itemCount: isLast ? count : -count,
    pendingDependencies,
    unmetDependencies: isFirst ? 0 : map.unmetDependencies,
    attempt: 0,
    recoveryAttempts: 0,
  });
  const isDue = pendingDependencies === 0;
  if (isLast) {
    const status = isDue ? 'Ready' : 'Waiting';
    change(map, { status, runAt: isDue ? now : null, owner: null });
    map.claimToken++;
  }
  const rows = tables.tasks.get(executionId);
  const keyOf = (i: number): string | null =>
    typeof limitKeys === 'string' ? limitKeys : (limitKeys?.[i] ?? null);
  rows?.push(...items.map((item, i) => newItem(map, stored + i + 1, item, keyOf(i), now)));
  return { hasUnmet: map.unmetDependencies > 0, paused: map.paused, isDue };
}

function newItem(
  map: MemoryTask,
  itemNo: number,
  item: string,
  limitKey: string | null,
  now: number,
): MemoryTask {
  const { executionId, taskNo, definitionId, priority, paused, generation } = map;
  return {
    executionId,
    taskNo,
    itemNo,
    definitionId,
    priority,
    status: 'Ready',
    pendingDependencies: 0,
    unmetDependencies: 0,
    claimToken: 0,
    owner: null,
    runAt: now,
    paused,
    attempt: 0,
    recoveryAttempts: 0,
    generation,
    wakes: 0,
    failureHandled: false,
    hasSteps: false,
    limitKey,
    itemCount: null,
    item,
    skipReason: null,
    output: null,
    deletedKeys: null,
    error: null,
    attempts: null,
    deferredSince: null,
    startedAt: null,
    completedAt: null,
    progress: null,
  };
}

/** A page of results, in order. */
export function itemResults(
  tables: MemoryTables,
  map: MapKey,
  { status, after, limit }: ResultsFilter,
): ItemResultRow[] {
  return itemsOf(tables, map)
    .filter((item) => item.itemNo > after && (status === undefined || item.status === status))
    .slice(0, Math.min(limit, RESULTS_PAGE))
    .map((item) => ({
      itemNo: item.itemNo,
      status: item.status,
      attempt: item.attempt,
      item: item.item ?? 'null',
      output: item.output,
      error: item.status === 'Completed' ? null : item.error,
    }));
}

const OPEN_MAPS = new Set(['Waiting', 'Running', 'Ready']);

export function cancelItems(tables: MemoryTables, cancel: ItemCancel): CancelledItems {
  const { token, generation, below } = cancel;
  const map = tables.task({ ...cancel, itemNo: 0 });
  const open = itemsOf(tables, cancel).filter((item) => item.itemNo < below && isOpenTask(item));
  const hasFailed = map !== undefined && OPEN_MAPS.has(map.status) && map.unmetDependencies > 0;
  const applied =
    map?.generation === generation && (token === null ? hasFailed : map.claimToken === token);
  const page = open.toReversed().slice(0, MAX_CANCELLED);
  const none = { cancelled: 0, wasRunning: false, isDue: false };
  const found = { applied, last: page.at(-1)?.itemNo ?? 0, hasMore: open.length > page.length };
  if (!applied || page.length === 0) return { ...none, ...found };
  const now = tables.now();
  let wasRunning = false;
  for (const item of page) {
    const runs = item.status === 'Running';
    wasRunning ||= runs;
    if (runs) item.claimToken++;
    if (!runs && item.status !== 'Waiting') item.startedAt = null;
    change(item, {
      status: 'Cancelled',
      owner: null,
      runAt: null,
      paused: false,
      completedAt: now,
    });
  }
  map.pendingDependencies -= page.length;
  map.unmetDependencies += page.length;
  const isDue = map.pendingDependencies === 0;
  if (isDue) change(map, { status: 'Ready', runAt: now });
  return { ...found, cancelled: page.length, wasRunning, isDue };
}

/** Resets the items of a map that a manual retry has reset. */
export function resetItems(tables: MemoryTables, map: MemoryTask, reset: ResetTask): void {
  if (reset.items === undefined || map.itemCount === null) return;
  const items = itemsOf(tables, map);
  if (reset.items === 'discard') {
    for (const item of items) tables.deleteSteps(item, () => true);
    const rows = tables.tasks.get(map.executionId) ?? [];
    const deleted = new Set(items);
    tables.tasks.set(
      map.executionId,
      rows.filter((row) => !deleted.has(row)),
    );
    map.itemCount = null;
    return;
  }
  const chosen = items.filter(({ status }) => reset.items === 'all' || status !== 'Completed');
  for (const item of chosen) resetItem(tables, map, item, reset.keepsSteps);
  const isOpen = map.itemCount < 0;
  change(map, { unmetDependencies: 0, pendingDependencies: chosen.length + (isOpen ? 1 : 0) });
  if (!isOpen && chosen.length > 0) change(map, { status: 'Waiting', runAt: null });
}

function resetItem(
  tables: MemoryTables,
  map: MemoryTask,
  item: MemoryTask,
  mapKeepsSteps: boolean,
): void {
  const keepsSteps = mapKeepsSteps && item.status !== 'Completed';
  tables.deleteSteps(
    item,
    (step) => !keepsSteps || (step.status !== 'Done' && step.kind !== 'child'),
  );
  reopenChildSteps(tables, item);
  change(item, {
    status: 'Ready',
    // Not before an execution with an admission has its slot again.
    runAt:
      (tables.executions.get(map.executionId)?.admissionKey ?? null) === null ? tables.now() : null,
    generation: map.generation,
    hasSteps: item.hasSteps && keepsSteps,
    paused: false,
    attempt: 0,
    attempts: null,
    recoveryAttempts: 0,
    output: null,
    error: null,
    deferredSince: null,
    startedAt: null,
    completedAt: null,
    owner: null,
  });
}
