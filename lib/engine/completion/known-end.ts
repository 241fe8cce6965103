import type { ContextView, SkipReason } from '../../workflow/index.js';
import type { EndedExecution, EndedRow, TaskTimes } from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { StartFacts } from '../memory/execution-cache.js';

/** A task that ended at its first attempt. */
export interface KnownTask extends TaskTimes {
  readonly status: 'Completed' | 'Skipped';
  readonly skipReason: SkipReason | undefined;
}

/**
 * A Completed execution whose end this process recorded. It spares the callers that wait here a read. None of its tasks
 * failed or was cancelled, so a manual retry of it is not possible, and its rows stay as they are.
 */
export interface KnownEnd {
  readonly id: string;
  readonly definition: RunnableDefinition;
  readonly start: StartFacts;
  readonly row: EndedRow;
  /** By number. */
  readonly tasks: readonly KnownTask[];
  /** The final context. */
  readonly context: ContextView;
}

/**
 * The ended execution, if memory has everything that its rows say: this process started the execution and recorded each
 * outcome at the first attempt, and the replies had the times. Undefined if something may be missing, such as the error of
 * a failed attempt; then the execution has to be read.
 *
 * @param claim - the claim whose outcome ended the execution
 * @param start - undefined if this process did not start the execution
 */
export function knownEndOf(
  { cache, definition, executionId }: Pick<TaskClaim, 'cache' | 'definition' | 'executionId'>,
  { status, row }: EndedExecution,
  start: StartFacts | undefined,
): KnownEnd | undefined {
  if (status !== 'Completed' || row === undefined || row.hasReason) return undefined;
  const context = start === undefined ? undefined : cache.finalContext();
  if (start === undefined || context === undefined) return undefined;
  const tasks: KnownTask[] = [];
  for (let no = 0; no < definition.workflow.tasks.length; no++) {
    const outcome = cache.outcome(no);
    if (outcome?.times === undefined) return undefined;
    const { status: ended, skipReason, times } = outcome;
    if (ended !== 'Completed' && ended !== 'Skipped') return undefined;
    const { startedAt, completedAt } = times;
    tasks.push({ status: ended, skipReason, startedAt, completedAt });
  }
  return { id: executionId, definition, start, row, tasks, context };
}
