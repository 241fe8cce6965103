import { PostgresRole } from './postgres-role.js';
import { readSteps, stepsOf } from '../statements/read-steps.js';
import { recordStepsOn } from '../record-steps-on.js';
import { taskKeyValues } from '../statements/statement.js';
import { wakeTasks } from '../statements/wake-tasks.js';
import type {
  StepRecord,
  StepReply,
  StepRow,
  StepStore,
  TaskKey,
  WokenTask,
} from '../../port/index.js';

/** Checkpoints of tasks, and the wake-ups of tasks that wait, on PostgreSQL. */
export class PostgresStepStore extends PostgresRole implements StepStore {
  async steps(tasks: readonly TaskKey[]): Promise<StepRow[]> {
    return stepsOf(await this.db.hot.run(readSteps, taskKeyValues(tasks)));
  }

  recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]> {
    return recordStepsOn(this.db.hot, records);
  }

  async wake(tasks: readonly TaskKey[]): Promise<WokenTask[]> {
    return this.db.hot.run(wakeTasks, taskKeyValues(tasks));
  }
}
