import { MemoryRole } from './memory-role.js';
import { batchInputs, findBatched, startBatched } from '../memory-batches.js';
import type { BatchedStart, BatchReply, BatchStore } from '../../../store/port/index.js';

/** Starts executions that collect the inputs of several starts, in memory. */
export class MemoryBatchStore extends MemoryRole implements BatchStore {
  start(starts: readonly BatchedStart[]): Promise<BatchReply> {
    return this.run((tables) => startBatched(tables, starts));
  }

  find(inputs: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.run((tables) => findBatched(tables, inputs));
  }

  inputs(executionId: string): Promise<string[]> {
    return this.run((tables) => batchInputs(tables, executionId));
  }
}
