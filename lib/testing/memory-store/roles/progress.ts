import { MemoryRole } from './memory-role.js';
import { clearProgress, reportProgress } from '../memory-progress.js';
import type { ProgressReport, ProgressStore, TaskKey } from '../../../store/port/index.js';

/** The latest progress of running tasks, in memory. */
export class MemoryProgressStore extends MemoryRole implements ProgressStore {
  reportProgress(reports: readonly ProgressReport[]): Promise<void> {
    return this.run((tables) => reportProgress(tables, reports));
  }

  clearProgress(tasks: readonly TaskKey[]): Promise<void> {
    return this.run((tables) => clearProgress(tables, tasks));
  }
}
