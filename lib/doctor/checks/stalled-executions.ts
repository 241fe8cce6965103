import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, type TenantCheck } from '../check.js';

/**
 * Executions that have not ended, and of which no task can ever begin: none runs, none is due or will be, none waits. The
 * library makes none; changes of rows by hand do.
 */
export const stalledExecutions: TenantCheck = {
  scope: 'tenant',
  id: 'stalled-executions',
  severity: 'error',
  title: 'Executions cannot continue',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{ workflow: string; executions: number; examples: string[] }>(
      client,
      `SELECT x.workflow, count(*)::integer AS executions, (array_agg(x.id::text))[1:5] AS examples
         FROM (SELECT x.id, x.workflow FROM ${table('workflow_execution')} x
                WHERE x.status IN ('Pending', 'Running', 'Finishing') AND x.completed_at IS NULL
                  AND (x.admission_key IS NULL OR x.admitted)
                  AND NOT EXISTS (SELECT FROM ${table('task_execution')} t WHERE t.execution_id = x.id
                                     AND (t.status IN ('Running', 'Waiting') OR (t.status = 'Ready' AND t.run_at IS NOT NULL)))
                LIMIT 10000) x
        GROUP BY x.workflow ORDER BY 2 DESC LIMIT 20`,
    );
    return rows.map(({ workflow, executions, examples }) => ({
      detail: `Schema "${schema}": ${counted(executions, 'execution')} of workflow "${workflow}" without a task that can begin, for example ${examples[0] ?? ''}.`,
      facts: { workflow, executions, examples },
    }));
  },
  advice: () =>
    'Rows were changed by hand, or there is a fault in the library. Cancel each execution with "npx nestjs-cloacina executions cancel", then retry it. If no one changed the tables, please report it.',
};
