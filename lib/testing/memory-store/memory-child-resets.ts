import { ADMIT_NEXT, END_CHILDREN, TELL_PARENTS, type TaskKey } from '../../store/port/index.js';
import { change, type MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

export function childrenOf(tables: MemoryTables, id: string): MemoryExecution[] {
  return [...tables.executions.values()]
    .filter(({ parentExecutionId }) => parentExecutionId === id)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The columns of an execution that a manual retry changes beside those of every execution. */
export function afterReset(tables: MemoryTables, execution: MemoryExecution): number {
  const ends = childrenOf(tables, execution.id).length > 0 ? END_CHILDREN : 0;
  const admits = execution.admissionKey === null ? 0 : ADMIT_NEXT;
  return execution.unsettled | TELL_PARENTS | admits | ends;
}

/** Opens the waits of a task that is retried for children that did not complete. */
export function reopenChildSteps(tables: MemoryTables, task: TaskKey): void {
  for (const step of tables.stepsOf(task)) {
    const child = tables.executions.get(step.childId ?? '');
    if (step.kind !== 'child' || step.status === 'Done' || child === undefined) continue;
    const { parentExecutionId, completedAt, status, generation } = child;
    const again = parentExecutionId === task.executionId && completedAt !== null;
    const result =
      again && status !== 'Completed' ? JSON.stringify({ retryFrom: generation }) : null;
    change(step, { status: 'Open', result, error: null, completedAt: null });
  }
}
