import { MemoryRole } from './memory-role.js';
import type { WorkflowPause, WorkflowPauseStore } from '../../../store/port/index.js';

/** Pauses of workflows, in memory. */
export class MemoryWorkflowPauseStore extends MemoryRole implements WorkflowPauseStore {
  pause(workflow: string, reason: string | null): Promise<void> {
    return this.run((tables) => {
      const pausedAt = tables.pauses.get(workflow)?.pausedAt ?? new Date(tables.now());
      tables.pauses.set(workflow, { workflow, reason, pausedAt });
    });
  }

  resume(workflow: string): Promise<boolean> {
    return this.run(({ pauses }) => pauses.delete(workflow));
  }

  list(): Promise<WorkflowPause[]> {
    return this.run((tables) => tables.listPauses());
  }
}
