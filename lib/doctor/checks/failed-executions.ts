import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, type TenantCheck } from '../check.js';

/**
 * Executions that Failed within a day, by workflow, task and error. The error is that of the task: only an execution that fails
 * without one has its own. Numbers in messages don't tell causes apart.
 */
export const failedExecutions: TenantCheck = {
  scope: 'tenant',
  id: 'failed-executions',
  severity: 'warning',
  title: 'Executions failed within the last 24 hours',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{
      workflow: string;
      task: string | null;
      error: string | null;
      message: string | null;
      executions: number;
      example: string;
    }>(
      client,
      `SELECT x.workflow, f.task, f.error ->> 'name' AS error,
              left(regexp_replace(left(f.error ->> 'message', 1000), '\\d+', '#', 'g'), 200) AS message,
              count(*)::integer AS executions, max(x.id::text) AS example
         FROM (SELECT x.id, x.workflow, x.error FROM ${table('workflow_execution')} x
                WHERE x.status = 'Failed' AND x.completed_at > pg_catalog.clock_timestamp() - interval '1 day'
                ORDER BY x.created_at DESC LIMIT 10000) x
         LEFT JOIN LATERAL (
           SELECT coalesce(d.task_names[t.task_no + 1], 'task ' || t.task_no) AS task, t.error
             FROM ${table('task_execution')} t LEFT JOIN ${table('workflow_definition')} d ON d.id = t.definition_id
            WHERE t.execution_id = x.id AND t.item_no = 0 AND t.status = 'Failed' AND NOT t.failure_handled
            ORDER BY t.task_no LIMIT 1) t ON true
         CROSS JOIN LATERAL (SELECT t.task, coalesce(x.error, t.error) AS error) f
        GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 20`,
    );
    return rows.map(({ workflow, task, error, message, executions, example }) => ({
      detail:
        `Schema "${schema}": ${counted(executions, 'execution')} of workflow "${workflow}" failed` +
        `${task === null ? '' : ` in task "${task}"`}: ${error ?? 'an error'}${message === null ? '' : `: ${message}`} (${example}).`,
      facts: { workflow, task, error, message, executions, example },
    }));
  },
  advice: ({ facts }, schema) =>
    `"npx nestjs-cloacina executions show ${String(facts['example'])} --schema ${schema}" shows the attempts. Mend the cause, then retry the executions with "npx nestjs-cloacina executions retry".`,
};
