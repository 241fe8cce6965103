import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, type TenantCheck } from '../check.js';

/** Executions that Failed within a day, by workflow, task and error. Numbers in messages don't tell causes apart. */
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
      `SELECT f.workflow, f.task, f.error, f.message, count(*)::integer AS executions, max(f.id::text) AS example
         FROM (SELECT x.id, x.workflow, x.error ->> 'name' AS error,
                      left(regexp_replace(x.error ->> 'message', '\\d+', '#', 'g'), 200) AS message,
                      (SELECT coalesce(d.task_names[t.task_no + 1], 'task ' || t.task_no)
                         FROM ${table('task_execution')} t
                         LEFT JOIN ${table('workflow_definition')} d ON d.id = t.definition_id
                        WHERE t.execution_id = x.id AND t.status = 'Failed' AND NOT t.failure_handled
                        ORDER BY t.completed_at LIMIT 1) AS task
                 FROM ${table('workflow_execution')} x
                WHERE x.status = 'Failed' AND x.completed_at > pg_catalog.clock_timestamp() - interval '1 day'
                ORDER BY x.created_at DESC LIMIT 10000) f
        GROUP BY f.workflow, f.task, f.error, f.message ORDER BY 5 DESC LIMIT 20`,
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
