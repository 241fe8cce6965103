import { MemoryRole } from './memory-role.js';
import type { ActionNote, WorkflowPause, WorkflowPauseStore } from '../../../store/port/index.js';

/** Pauses of workflows, in memory. */
export class MemoryWorkflowPauseStore extends MemoryRole implements WorkflowPauseStore {
  pause(workflow: string, reason: string | null, by?: ActionNote | null): Promise<void> {
    return this.run((tables) => {
      const pausedAt = tables.pauses.get(workflow)?.pausedAt ?? new Date(tables.now());
      tables.pauses.set(workflow, { workflow, reason, pausedAt });
      tables.noteAction(workflow, by);
    });
  }

  resume(workflow: string, by?: ActionNote | null): Promise<boolean> {
    return this.run((tables) => {
      const wasPaused = tables.pauses.delete(workflow);
      if (wasPaused) tables.noteAction(workflow, by);
      return wasPaused;
    });
  }

  list(): Promise<WorkflowPause[]> {
    return this.run((tables) => tables.listPauses());
  }
}
