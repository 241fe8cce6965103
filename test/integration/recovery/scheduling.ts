import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

/** What the schedules of the killed processes start. */
export const scheduled: WorkflowDefinition = defineWorkflow('scheduled')
  .task('run', () => undefined)
  .build();

/** Where a process is killed, around the statement that fires schedules. */
export type FirePoint = 'after' | 'before' | 'sent';

/** A process that fires schedules, and may kill itself at a firing. */
export interface SchedulingSettings {
  readonly schema: string;
  readonly dieAt: FirePoint | null;
}
