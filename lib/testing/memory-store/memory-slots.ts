import type { ClaimKey } from '../../store/port/index.js';
import { isWaiting, type MemorySlot, type WaitingTask } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** The row of a key, which is made if it is missing. */
export function slotOf(tables: MemoryTables, limitKey: string): MemorySlot {
  const known = tables.slots.get(limitKey);
  if (known !== undefined) return known;
  const made: MemorySlot = {
    concurrency: null,
    rate: null,
    weight: null,
    nextTokenAt: null,
    claimedAt: 0,
    holders: [],
  };
  tables.slots.set(limitKey, made);
  return made;
}

/** Whether the claim still holds its slot: the task's row has its token, or it is of a strict key and will run again. */
export function isHeld(tables: MemoryTables, held: ClaimKey, isStrict = false): boolean {
  const task = tables.task(held);
  if (task?.claimToken === held.token) return true;
  return isStrict && task !== undefined && RUNS.has(task.status);
}

const RUNS: ReadonlySet<string> = new Set(['Ready', 'Running', 'Waiting']);

/** Tasks with a limit that are due. */
export function dueTasks(tables: MemoryTables): (WaitingTask & { readonly limitKey: string })[] {
  const now = tables.now();
  return tables
    .allTasks()
    .filter(isWaiting)
    .flatMap((task) =>
      task.limitKey === null || task.runAt > now
        ? []
        : (task as WaitingTask & { limitKey: string }),
    );
}
