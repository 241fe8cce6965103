import { epochMs, type Column } from './columns.js';
import type { TenantTables } from './statement.js';
import { MAX_LISTED_STEPS, type ListedStep } from '../../port/index.js';

/** A checkpoint in the JSON that {@link listedStepsOf} builds. */
type StepJson = Omit<ListedStep, 'startedAt' | 'completedAt' | 'dueAt'> &
  Readonly<Record<'startedAt', number> & Record<'completedAt' | 'dueAt', number | null>>;

export const listedSteps: Column<readonly ListedStep[]> = {
  type: 'json',
  decode: (text) => (text === null ? [] : (JSON.parse(text) as StepJson[]).map(stepOf)),
};

function stepOf({ startedAt, completedAt, dueAt, ...step }: StepJson): ListedStep {
  return {
    ...step,
    startedAt: new Date(startedAt),
    completedAt: completedAt === null ? null : new Date(completedAt),
    dueAt: dueAt === null ? null : new Date(dueAt),
  };
}

/**
 * Selects the newest checkpoints of task `t`, oldest first, by the key of the steps.
 *
 * @param detail - an expression: 0 for none, 1 for checkpoints without results, 2 with results
 */
export function listedStepsOf({ step }: TenantTables, detail: string): string {
  return `CASE WHEN ${detail} > 0 AND t.has_steps THEN (
      SELECT json_agg(json_build_object('name', s.name, 'kind', s.kind, 'status', s.status,
        'startedAt', ${epochMs('s.started_at')}, 'completedAt', ${epochMs('s.completed_at')},
        'dueAt', ${epochMs('s.due_at')}, 'result', CASE WHEN ${detail} > 1 THEN s.result::text END)
        ORDER BY s.started_at, s.name)
      FROM (
        SELECT * FROM ${step} s
        WHERE s.execution_id = t.execution_id AND s.task_no = t.task_no AND s.item_no = t.item_no
        ORDER BY s.started_at DESC, s.name DESC LIMIT ${MAX_LISTED_STEPS}) s) END`;
}
