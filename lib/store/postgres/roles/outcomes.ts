import { PostgresRole } from './postgres-role.js';
import { completeOn } from '../complete-on.js';
import { plainArray } from '../statements/encoding.js';
import { writeFinalContext } from '../statements/execution-rows.js';
import { readInputs, readOutcomes } from '../statements/read-outcomes.js';
import { taskKeyValues } from '../statements/statement.js';
import type {
  CompletionResult,
  ExecutionInput,
  LeaseWrite,
  Outcome,
  OutcomeStore,
  RecordedOutcome,
  TaskKey,
} from '../../port/index.js';

/** Records outcomes of claimed tasks, and reads recorded outcomes, on PostgreSQL. */
export class PostgresOutcomeStore extends PostgresRole implements OutcomeStore {
  complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed = false,
  ): Promise<CompletionResult> {
    return completeOn(this.db.hot, outcomes, lease, this.db.batches.open(true), timed);
  }

  async outcomes(tasks: readonly TaskKey[]): Promise<RecordedOutcome[]> {
    return this.db.hot.run(readOutcomes, taskKeyValues(tasks));
  }

  async inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>> {
    const rows = await this.db.hot.run(readInputs, [plainArray(ids)]);
    return new Map(rows.map(({ id, ...input }) => [id, input]));
  }

  async writeFinalContext(id: string, context: string, generation: number): Promise<void> {
    await this.db.hot.run(writeFinalContext, [id, context, generation]);
  }
}
