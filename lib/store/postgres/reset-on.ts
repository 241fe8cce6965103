import type { ExecutionReset, ResetExecution } from '../port/index.js';
import { resetExecutions, resetValues } from './statements/reset-execution.js';
import { resetItems, resetItemsValues } from './statements/reset-items.js';
import type { StatementRunner } from './statements/statement.js';

/** Resets executions in the transaction that has locked them, with the items of their maps. */
export async function resetOn(
  runner: StatementRunner,
  resets: readonly ExecutionReset[],
): Promise<ResetExecution[]> {
  if (resets.length === 0) return [];
  const due = await runner.run(resetExecutions, resetValues(resets));
  const items = resetItemsValues(resets);
  if (items !== undefined) await runner.run(resetItems, items);
  return due;
}
