import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** A workflow that is paused as a whole, as read through TypeORM. */
export interface PausedWorkflowRow {
  workflow: string;
  reason: string | null;
  pausedAt: Date;
}

export const PausedWorkflowEntity = new EntitySchema<PausedWorkflowRow>({
  name: 'CloacinaPausedWorkflow',
  tableName: 'cloacina_paused_workflow',
  synchronize: false,
  columns: {
    workflow: { name: 'workflow', type: 'text', primary: true },
    reason: { name: 'reason', type: 'text', nullable: true },
    pausedAt: { name: 'paused_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
