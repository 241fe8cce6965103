import type {
  ExecutionDetails,
  ExecutionInput,
  ExecutionRow,
  RecordedOutcome,
  StepDetail,
  TaskKey,
} from '../../store/port/index.js';
import { executionRow, listedSteps, taskRow } from './memory-read-rows.js';
import { isOpenExecution, isOpenTask, type MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

export function readExecutions(tables: MemoryTables, ids: readonly string[]): ExecutionRow[] {
  return found(tables, ids).map(executionRow);
}

export function readDetails(
  tables: MemoryTables,
  ids: readonly string[],
  contexts: boolean,
  steps: StepDetail,
): ExecutionDetails[] {
  return found(tables, [...ids].sort()).map((execution) => ({
    ...executionRow(execution),
    ...(contexts ? {} : { input: '{}', context: null }),
    tasks: tables.tasksOf(execution.id).map((task) => ({
      ...taskRow(tables, task),
      ...(contexts ? {} : { output: null }),
      steps: listedSteps(tables, task, steps),
    })),
  }));
}

export function statusesOf(tables: MemoryTables, ids: readonly string[]): Map<string, string> {
  return new Map(found(tables, ids).map(({ id, status }) => [id, status]));
}

/** Notes that a process waits for the ends of the unfinished executions. Returns the statuses of all. */
export function awaitEnds(tables: MemoryTables, ids: readonly string[]): Map<string, string> {
  const executions = found(tables, ids);
  for (const execution of executions) if (isOpenExecution(execution)) execution.hasWaiters = true;
  return new Map(executions.map(({ id, status }) => [id, status]));
}

export function readInputs(
  tables: MemoryTables,
  ids: readonly string[],
): Map<string, ExecutionInput> {
  return new Map(
    found(tables, ids).map(({ id, input, deadlineAt, traceContext }) => [
      id,
      {
        input,
        deadlineInMs: deadlineAt === null ? null : deadlineAt - tables.now(),
        traceContext,
      },
    ]),
  );
}

/** Returns the outcomes of those tasks that have ended. */
export function readOutcomes(tables: MemoryTables, keys: readonly TaskKey[]): RecordedOutcome[] {
  return keys.flatMap((key) => {
    const task = tables.task(key);
    if (task === undefined || isOpenTask(task)) return [];
    const { status, skipReason, output, claimToken: token } = task;
    const error = status === 'Failed' ? task.error : null;
    const deletedKeys = task.deletedKeys ?? [];
    return [{ ...key, status, skipReason, error, output, deletedKeys, token }];
  });
}

export function writeFinalContext(
  tables: MemoryTables,
  id: string,
  context: string,
  generation: number,
): void {
  const execution = tables.executions.get(id);
  if (execution === undefined) return;
  const hasEnded = execution.status === 'Completed' || execution.status === 'Failed';
  if (hasEnded && execution.generation === generation) execution.context ??= context;
}

function found(tables: MemoryTables, ids: readonly string[]): MemoryExecution[] {
  return [...new Set(ids)].flatMap((id) => tables.executions.get(id) ?? []);
}
