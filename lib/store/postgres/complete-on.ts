import type { OpenBatch } from './claim-batches.js';
import {
  completePlainTasks,
  completePlainTimedTasks,
  completeTasks,
  completeTimedTasks,
} from './statements/complete-tasks.js';
import { completionOf, timedCompletionOf } from './statements/completion-result.js';
import { arePlain, completionValues } from './statements/completion-values.js';
import type { StatementRunner } from './statements/statement.js';
import type { CompletionResult, LeaseWrite, Outcome } from '../port/index.js';

/**
 * Records a batch of outcomes, with the statement for its kind.
 *
 * @param outcomes - sorted by `byLockOrder`
 * @param open - the number of the list of claimed dependents, and the lists that the statement deletes
 * @param timed - whether the result contains the times of the rows
 */
export async function completeOn(
  runner: StatementRunner,
  outcomes: readonly Outcome[],
  lease: LeaseWrite,
  open: OpenBatch,
  timed: boolean,
): Promise<CompletionResult> {
  try {
    const reply = await record(runner, outcomes, lease, open, timed);
    return { ...reply, batch: open.stored(reply.readied.filter(({ claimed }) => claimed).length) };
  } catch (error) {
    open.failed();
    throw error;
  }
}

async function record(
  runner: StatementRunner,
  outcomes: readonly Outcome[],
  { claimant, write }: LeaseWrite,
  open: OpenBatch,
  timed: boolean,
): Promise<CompletionResult> {
  const isPlain = arePlain(outcomes);
  const values = completionValues(outcomes, claimant, write, open, isPlain);
  if (timed) {
    const statement = isPlain ? completePlainTimedTasks : completeTimedTasks;
    return timedCompletionOf(await runner.run(statement, values), outcomes.length);
  }
  const statement = isPlain ? completePlainTasks : completeTasks;
  return completionOf(await runner.run(statement, values), outcomes.length);
}
