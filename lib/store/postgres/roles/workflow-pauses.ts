import { PostgresRole } from './postgres-role.js';
import { listPauses, pauseWorkflow, resumeWorkflow } from '../statements/workflow-pauses.js';
import type { WorkflowPause, WorkflowPauseStore } from '../../port/index.js';

/** Pauses of workflows, on PostgreSQL. */
export class PostgresWorkflowPauseStore extends PostgresRole implements WorkflowPauseStore {
  async pause(workflow: string, reason: string | null, actor: string | null = null): Promise<void> {
    await this.db.cold.run(pauseWorkflow, [workflow, reason, actor]);
  }

  async resume(workflow: string, actor: string | null = null): Promise<boolean> {
    return (await this.db.cold.run(resumeWorkflow, [workflow, actor])).length > 0;
  }

  list(): Promise<WorkflowPause[]> {
    return this.db.cold.run(listPauses, []);
  }
}
