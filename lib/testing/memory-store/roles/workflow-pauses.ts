import { MemoryRole } from './memory-role.js';
import type { WorkflowPause, WorkflowPauseStore } from '../../../store/port/index.js';

/** Pauses of workflows, in memory. */
export class MemoryWorkflowPauseStore extends MemoryRole implements WorkflowPauseStore {
  pause(workflow: string, reason: string | null, actor: string | null = null): Promise<void> {
    return this.run((tables) => {
      const pausedAt = tables.pauses.get(workflow)?.pausedAt ?? new Date(tables.now());
      tables.pauses.set(workflow, { workflow, reason, pausedAt });
      const note = actor === null ? null : { kind: 'workflow.paused' as const, actor, reason };
      tables.noteAction(workflow, note);
    });
  }

  resume(workflow: string, actor: string | null = null): Promise<boolean> {
    return this.run((tables) => {
      const wasPaused = tables.pauses.delete(workflow);
      const note =
        actor === null ? null : { kind: 'workflow.resumed' as const, actor, reason: null };
      if (wasPaused) tables.noteAction(workflow, note);
      return wasPaused;
    });
  }

  list(): Promise<WorkflowPause[]> {
    return this.run((tables) => tables.listPauses());
  }
}
