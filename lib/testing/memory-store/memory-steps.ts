import type {
  StepDue,
  StepRecord,
  StepReply,
  StepRow,
  TaskKey,
  WokenTask,
} from '../../store/port/index.js';
import { assertStorable } from './memory-failure.js';
import { change, isOpenTask, type MemoryStep } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** All checkpoints of the tasks. */
export function readSteps(tables: MemoryTables, tasks: readonly TaskKey[]): StepRow[] {
  return tasks.flatMap((key) =>
    tables.stepsOf(key).map(({ dueAt, completedAt: _, startedAt: __, signalId: ___, ...step }) => ({
      ...step,
      dueInMs: dueAt === null ? null : dueAt - tables.now(),
    })),
  );
}

/** Writes checkpoints of tasks whose claims are held. */
export function recordSteps(
  tables: MemoryTables,
  records: readonly StepRecord[],
): (StepReply | undefined)[] {
  assertStorable(
    records.flatMap(({ name, result, error }) => [JSON.stringify(name), result, error]),
  );
  return records.map((record) => {
    const task = tables.task(record);
    if (task?.claimToken !== record.token) return undefined;
    task.hasSteps = true;
    if (record.status !== 'Open') change(task, { attempt: 0, recoveryAttempts: 0 });
    const dueAt = dueAtOf(tables, record.due);
    write(tables, record, dueAt);
    return { dueInMs: dueAt === null ? null : dueAt - tables.now() };
  });
}

function write(tables: MemoryTables, record: StepRecord, dueAt: number | null): void {
  const { executionId, taskNo, itemNo, name, kind, status, result, error, childId } = record;
  const now = tables.now();
  const completedAt = status === 'Open' ? null : now;
  const found = tables.stepsOf(record).find((step) => step.name === name);
  if (found !== undefined) {
    if (found.status !== 'Open') return;
    if (status === 'Open') change<MemoryStep>(found, { kind, listensFor: record.listensFor });
    else change<MemoryStep>(found, { status, result, error, completedAt });
    return;
  }
  const { listensFor } = record;
  const key = { executionId, taskNo, itemNo };
  const step = { ...key, name, kind, status, result, error, childId, listensFor, signalId: null };
  const startedAt = now - Math.round(record.tookMs ?? 0);
  tables.addStep({ ...step, dueAt, startedAt, completedAt });
}

function dueAtOf(tables: MemoryTables, due: StepDue | null): number | null {
  if (due === null) return null;
  return 'at' in due ? due.at.getTime() : tables.now() + Math.ceil(due.inMs);
}

/** Wakes tasks that have not ended. */
export function wake(tables: MemoryTables, tasks: readonly TaskKey[]): WokenTask[] {
  const woken = new Map<string, WokenTask>();
  for (const { executionId, taskNo, itemNo } of tasks) {
    const key = { executionId, taskNo, itemNo };
    const task = tables.task(key);
    if (task === undefined || !isOpenTask(task)) continue;
    task.wakes++;
    const waits = task.status === 'Waiting';
    if (waits) task.runAt = tables.now();
    woken.set(`${executionId}/${taskNo}/${itemNo}`, { ...key, isDue: waits && !task.paused });
  }
  return [...woken.values()];
}
