import { PostgresRole } from './postgres-role.js';
import { clearProgress } from '../statements/clear-progress.js';
import { taskKeyValues } from '../statements/statement.js';
import { progressValues, writeProgress } from '../statements/write-progress.js';
import {
  type ProgressReport,
  type ProgressStore,
  type TaskKey,
  byLockOrder,
} from '../../port/index.js';

/** The latest progress of running tasks, on PostgreSQL. */
export class PostgresProgressStore extends PostgresRole implements ProgressStore {
  async reportProgress(reports: readonly ProgressReport[]): Promise<void> {
    await this.db.hot.run(writeProgress, progressValues(reports.toSorted(byLockOrder)));
  }

  async clearProgress(tasks: readonly TaskKey[]): Promise<void> {
    await this.db.hot.run(clearProgress, taskKeyValues(tasks));
  }
}
