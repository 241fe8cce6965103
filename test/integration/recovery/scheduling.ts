import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import type { OpenTenant } from '../../support/open-tenant.js';

/** What the schedules of the killed processes start. */
export const scheduled: WorkflowDefinition = defineWorkflow('scheduled')
  .task('run', () => undefined)
  .build();

/** Where a process is killed, around a statement: before it is sent, when it was sent, or when its reply has come. */
export type FirePoint = 'after' | 'before' | 'sent';

/** A process that fires schedules and runs backfills, and may kill itself at one of their statements. */
export interface SchedulingSettings {
  readonly schema: string;
  readonly dieAt: FirePoint | null;
  /** The statement. Default: that of firings. */
  readonly statement?: 'backfill' | 'fire';
  /** The number of the statement in the process, from 1. Default: 1. */
  readonly number?: number;
}

/** The rows that show that an instant has been fired twice, or a firing recorded without its execution. */
export async function wrongFirings({ query }: Pick<OpenTenant, 'query'>): Promise<object> {
  const twice = await query(
    `SELECT schedule, scheduled_for, count(*)::integer AS n FROM cloacina_workflow_execution
     WHERE schedule IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1`,
  );
  const unmatched = await query(
    `SELECT f.schedule, f.scheduled_for, x.id
     FROM (SELECT * FROM cloacina_schedule_firing WHERE execution_id IS NOT NULL) f
       FULL JOIN (SELECT * FROM cloacina_workflow_execution WHERE schedule IS NOT NULL) x
         ON x.id = f.execution_id AND x.schedule = f.schedule AND x.scheduled_for = f.scheduled_for
     WHERE x.id IS NULL OR f.schedule IS NULL`,
  );
  return { twice, unmatched };
}

/** Instants that are left out between the first and the last firing of schedules of an interval. */
export function gaps({ query }: Pick<OpenTenant, 'query'>, everyMs: number): Promise<object[]> {
  return query(
    `SELECT schedule, scheduled_for FROM (
       SELECT schedule, scheduled_for,
              scheduled_for - lag(scheduled_for) OVER (PARTITION BY schedule ORDER BY scheduled_for) AS step
       FROM cloacina_workflow_execution WHERE schedule IS NOT NULL) x
     WHERE step <> $1 * interval '1 millisecond'`,
    [everyMs],
  );
}

export const NOTHING_WRONG = { twice: [], unmatched: [] };
