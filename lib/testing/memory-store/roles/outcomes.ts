import { MemoryRole } from './memory-role.js';
import * as reads from '../memory-reads.js';
import { complete } from '../memory-outcomes.js';
import type {
  CompletionResult,
  ExecutionInput,
  LeaseWrite,
  Outcome,
  OutcomeStore,
  RecordedOutcome,
  TaskKey,
} from '../../../store/port/index.js';

/** Records outcomes of claimed tasks, and reads recorded outcomes, in memory. */
export class MemoryOutcomeStore extends MemoryRole implements OutcomeStore {
  complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed = false,
  ): Promise<CompletionResult> {
    return this.run((tables) => complete(tables, outcomes, lease, timed));
  }

  outcomes(tasks: readonly TaskKey[]): Promise<RecordedOutcome[]> {
    return this.run((tables) => reads.readOutcomes(tables, tasks));
  }

  inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>> {
    return this.run((tables) => reads.readInputs(tables, ids));
  }

  writeFinalContext(id: string, context: string, generation: number): Promise<void> {
    return this.run((tables) => reads.writeFinalContext(tables, id, context, generation));
  }
}
