import { PostgresRole } from './postgres-role.js';
import { noteValues } from '../statements/actions.js';
import { listPauses, pauseWorkflow, resumeWorkflow } from '../statements/workflow-pauses.js';
import type { ActionNote, WorkflowPause, WorkflowPauseStore } from '../../port/index.js';

/** Pauses of workflows, on PostgreSQL. */
export class PostgresWorkflowPauseStore extends PostgresRole implements WorkflowPauseStore {
  async pause(workflow: string, reason: string | null, by?: ActionNote | null): Promise<void> {
    await this.db.cold.run(pauseWorkflow, [workflow, reason, ...noteValues(by)]);
  }

  async resume(workflow: string, by?: ActionNote | null): Promise<boolean> {
    return (await this.db.cold.run(resumeWorkflow, [workflow, ...noteValues(by)])).length > 0;
  }

  list(): Promise<WorkflowPause[]> {
    return this.db.cold.run(listPauses, []);
  }
}
