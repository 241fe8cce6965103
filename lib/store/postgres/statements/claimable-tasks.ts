import type { TenantTables } from './statement.js';

/**
 * A condition: task `t` waits to be claimed, now or later, by this statement. It is that of the index. The status is not
 * compared: a task that sleeps, or was woken, is claimed like one that is Ready. Tasks with a limit are left out, because
 * their claim has to count the slots of their key.
 */
export const CLAIMABLE = 't.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NULL';

/**
 * A condition: this process has a handler for task `t`, whose definition it knows, and may run it now. Parameters: $3 and $4,
 * the tasks of known definitions without a handler, and three from `except` on, the tasks that it must not claim.
 */
export function runsHere(except: number): string {
  const [executions, tasks, items] = [except, except + 1, except + 2];
  return `($4::integer[] IS NULL OR NOT EXISTS (
          SELECT FROM unnest($3::bigint[], $4::integer[]) AS x(definition_id, task_no)
          WHERE x.definition_id = t.definition_id AND x.task_no = t.task_no))
        AND ($${tasks}::integer[] IS NULL OR NOT EXISTS (
          SELECT FROM unnest($${executions}::uuid[], $${tasks}::integer[], $${items}::integer[]) AS x(execution_id, task_no, item_no)
          WHERE x.execution_id = t.execution_id AND x.task_no = t.task_no AND x.item_no = t.item_no))`;
}

/** {@link runsHere} with the parameters of {@link claimValues}. */
export const RUNS_HERE = runsHere(11);

/** A condition on a candidate: no other session has locked its execution, which this transaction locks now. */
export function executionIsFree(tables: TenantTables): string {
  return `
        AND EXISTS (
          SELECT FROM ${tables.execution} e WHERE e.id = t.execution_id FOR NO KEY UPDATE SKIP LOCKED)`;
}
