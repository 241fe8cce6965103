import { epochMs, type Column } from './columns.js';
import type { TenantTables } from './statement.js';
import type { StoredProgress } from '../../port/index.js';

/** Progress in the JSON that {@link progressOf} builds. */
interface ProgressJson {
  readonly value: string;
  readonly at: number;
}

export const taskProgress: Column<StoredProgress | null> = {
  type: 'json',
  decode: (text) => {
    if (text === null) return null;
    const { value, at } = JSON.parse(text) as ProgressJson;
    return { value, updatedAt: new Date(at) };
  },
};

/**
 * Selects the progress of task `t` that its latest run has reported, unless it has ended. The progress of an earlier run,
 * or of one before a manual retry, is older than the start of the run.
 */
export function progressOf({ progress }: TenantTables): string {
  return `CASE WHEN t.status IN ('Running', 'Waiting', 'Ready') THEN (
      SELECT json_build_object('value', p.value::text, 'at', ${epochMs('p.updated_at')})
      FROM ${progress} p
      WHERE p.execution_id = t.execution_id AND p.task_no = t.task_no AND p.item_no = t.item_no
        AND p.updated_at >= t.started_at) END`;
}
