import { PostgresRole } from './postgres-role.js';
import { batchExecutions, batchReplyOf, batchValues } from '../statements/batch-executions.js';
import { findBatched, readBatch } from '../statements/batch-inputs.js';
import { SqlState, sqlState } from '../sql-state.js';
import type { BatchedStart, BatchReply, BatchStore } from '../../port/index.js';

/** Starts executions that collect the inputs of several starts, on PostgreSQL. */
export class PostgresBatchStore extends PostgresRole implements BatchStore {
  async start(starts: readonly BatchedStart[]): Promise<BatchReply> {
    try {
      return batchReplyOf(await this.db.hot.run(batchExecutions, batchValues(starts)), starts);
    } catch (error) {
      // An earlier send of the same inputs, whose reply was lost, has committed during this one.
      if (sqlState(error) !== SqlState.uniqueViolation) throw error;
      return batchReplyOf([], starts);
    }
  }

  async find(inputs: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.db.hot.run(findBatched, [JSON.stringify(inputs)]);
    return new Map(rows.map(({ input, executionId }) => [input, executionId]));
  }

  async inputs(executionId: string): Promise<string[]> {
    return (await this.db.hot.run(readBatch, [executionId])).map(({ payload }) => payload);
  }
}
