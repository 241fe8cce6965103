import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, type TenantCheck } from '../check.js';

/**
 * Running tasks whose process has no lease. Recovery finds them by the lists of claims, so a list that is missing matters.
 * They are searched through the open executions: the tasks have no index on their status, because a claim would pay for it.
 */
export const orphans: TenantCheck = {
  scope: 'tenant',
  id: 'orphans',
  severity: 'error',
  title: 'Running tasks belong to no process',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{ tasks: string; owners: string[]; examples: string[] }>(
      client,
      `SELECT count(*)::text AS tasks, array_agg(DISTINCT o.owner::text) AS owners,
              (array_agg(DISTINCT o.execution_id::text))[1:5] AS examples
         FROM (SELECT t.owner, t.execution_id
                 FROM ${table('workflow_execution')} x JOIN ${table('task_execution')} t ON t.execution_id = x.id
                WHERE x.status IN ('Running', 'Paused', 'Finishing') AND t.status = 'Running'
                  AND NOT EXISTS (SELECT FROM ${table('runner_lease')} l WHERE l.instance_id = t.owner)
                LIMIT 100000) o
       HAVING count(*) > 0`,
    );
    return rows.map(({ tasks, owners, examples }) => ({
      detail:
        `Schema "${schema}": ${counted(Number(tasks), 'Running task')} of ${counted(owners.length, 'process')} ` +
        `without a lease, for example of execution ${examples[0] ?? ''}.`,
      facts: { tasks: Number(tasks), owners, executions: examples },
    }));
  },
  advice: (_found, schema) =>
    `Processes that serve the tenant recover them. If the finding stays, run "npx nestjs-cloacina recovery run --schema ${schema}", and check that a process serves the tenant with enableRecovery.`,
};
