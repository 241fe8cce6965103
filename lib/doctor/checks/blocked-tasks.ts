import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, firstOf, inWords, type TenantCheck } from '../check.js';

/** How long a task must have been due, in ms. */
const DUE_FOR_MS = 60_000;

/** Due tasks that no process claims. Those of a paused workflow or of a limit wait rightly. */
export const blockedTasks: TenantCheck = {
  scope: 'tenant',
  id: 'blocked-tasks',
  severity: 'warning',
  title: 'Due tasks are not claimed',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{
      workflow: string | null;
      task: string;
      tasks: number;
      due: number;
      example: string;
      processes: string[];
    }>(
      client,
      `SELECT d.name AS workflow, coalesce(d.task_names[t.task_no + 1], 'task ' || t.task_no) AS task,
              count(*)::integer AS tasks, min(t.execution_id::text) AS example,
              (extract(epoch FROM pg_catalog.clock_timestamp() - min(t.run_at)) * 1000)::double precision AS due,
              (SELECT coalesce(array_agg(coalesce(l.name, l.instance_id::text)), '{}') FROM ${table('runner_lease')} l
                WHERE l.expires_at > pg_catalog.clock_timestamp()) AS processes
         FROM (SELECT * FROM ${table('task_execution')} t
                WHERE t.run_at < pg_catalog.clock_timestamp() - $1::integer * interval '1 ms'
                  AND t.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NULL AND t.task_no >= 0
                ORDER BY t.run_at LIMIT 10000) t
         LEFT JOIN ${table('workflow_definition')} d ON d.id = t.definition_id
        WHERE NOT EXISTS (SELECT FROM ${table('paused_workflow')} p WHERE p.workflow = d.name)
        GROUP BY d.name, d.task_names, t.task_no ORDER BY min(t.run_at) LIMIT 20`,
      [DUE_FOR_MS],
    );
    return rows.map(({ workflow, task, tasks, due, example, processes }) => ({
      detail:
        `Schema "${schema}": ${counted(tasks, 'task')} "${task}" of workflow "${workflow ?? 'unknown'}" due for up to ${inWords(due)}. ` +
        (processes.length === 0
          ? 'No process has claims in the schema.'
          : `Processes with claims: ${firstOf(processes)}.`),
      facts: { workflow, task, tasks, dueForMs: Math.round(due), execution: example, processes },
    }));
  },
  advice: ({ facts }, schema) =>
    'Check that a process serves the tenant, that its code has the workflow and the task, and that its slots (maxConcurrentTasks) are not all taken. ' +
    `"npx nestjs-cloacina executions explain ${String(facts['execution'])} --schema ${schema}" explains one of them.`,
};
