import { recordSteps, recordValues, repliesOf } from './statements/record-steps.js';
import type { StatementRunner } from './statements/statement.js';
import type { StepRecord, StepReply } from '../port/index.js';

/** Records checkpoints, on a connection of the store or on that of a task's transaction. */
export async function recordStepsOn(
  runner: StatementRunner,
  records: readonly StepRecord[],
): Promise<(StepReply | undefined)[]> {
  const rows = await runner.run(recordSteps, recordValues(records));
  return repliesOf(rows, records.length);
}
