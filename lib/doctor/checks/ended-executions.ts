import { readRows } from '../../store/postgres/connections/own-types.js';
import type { TenantCheck } from '../check.js';

/** From this number on the tables cost memory and backups more than most applications expect. */
const MANY = 1_000_000;

/** Very many executions, by the estimate of the planner: counting them would read the table. */
export const endedExecutions: TenantCheck = {
  scope: 'tenant',
  id: 'ended-executions',
  severity: 'warning',
  title: 'A million executions are kept',
  reads: 'catalog',
  find: async ({ client, schema }) => {
    const rows = await readRows<{ executions: number }>(
      client,
      `SELECT c.reltuples::double precision AS executions
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = 'cloacina_workflow_execution' AND c.reltuples >= $2::integer`,
      [schema, MANY],
    );
    return rows.map(({ executions }) => ({
      detail: `Schema "${schema}" keeps about ${Math.round(executions).toLocaleString('en')} executions.`,
      facts: { executions: Math.round(executions) },
    }));
  },
  advice: () =>
    'Set the option retention, which deletes ended executions at an age. To delete executions at once, use runner.deleteMany().',
};
