import { MemoryRole } from './memory-role.js';
import { readSteps, recordSteps, wake } from '../memory-steps.js';
import type {
  StepRecord,
  StepReply,
  StepRow,
  StepStore,
  TaskKey,
  WokenTask,
} from '../../../store/port/index.js';

/** Checkpoints of tasks, and the wake-ups of tasks that wait, in memory. */
export class MemoryStepStore extends MemoryRole implements StepStore {
  steps(tasks: readonly TaskKey[]): Promise<StepRow[]> {
    return this.run((tables) => readSteps(tables, tasks));
  }

  recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]> {
    return this.run((tables) => recordSteps(tables, records));
  }

  wake(tasks: readonly TaskKey[]): Promise<WokenTask[]> {
    return this.run((tables) => wake(tables, tasks));
  }
}
