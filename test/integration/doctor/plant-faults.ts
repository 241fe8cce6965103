import type { Client } from 'pg';
import type { OpenTenant } from '../../support/open-tenant.js';

/** The faults of a tenant, by the id of the check that must find each. */
export const TENANT_FAULTS: Readonly<
  Record<string, (admin: Client, tenant: OpenTenant, role: string) => Promise<unknown>>
> = {
  'pending-migrations': (admin, { schema }) =>
    admin.query(`UPDATE ${schema}.cloacina_migrations SET name = 'FromTheFuture1999999999999'`),
  'schema-drift': (admin, { schema }) =>
    admin.query(`DROP INDEX ${schema}.cloacina_task_execution_due_idx;
      ALTER TABLE ${schema}.cloacina_signal ALTER payload DROP NOT NULL;
      CREATE INDEX of_an_operator ON ${schema}.cloacina_task_execution (owner)`),
  'missing-grants': (admin, { schema }, role) =>
    admin.query(`REVOKE UPDATE ON ${schema}.cloacina_task_execution FROM ${role}`),
  orphans: async (admin, { schema, runner }) => {
    const { id } = await runner.start('waiting');
    await admin.query(
      `UPDATE ${schema}.cloacina_task_execution SET status = 'Running', owner = gen_random_uuid(), run_at = NULL
        WHERE execution_id = $1`,
      [id],
    );
    await admin.query(
      `UPDATE ${schema}.cloacina_workflow_execution SET status = 'Running' WHERE id = $1`,
      [id],
    );
  },
  'stuck-leases': (admin, { schema }) =>
    admin.query(`INSERT INTO ${schema}.cloacina_runner_lease (instance_id, process_id, name, expires_at)
      VALUES (gen_random_uuid(), gen_random_uuid(), 'gone.example:17', now() - interval '1 hour')`),
  'blocked-tasks': async (admin, { schema, runner }) => {
    const { id } = await runner.start('waiting');
    await admin.query(
      `UPDATE ${schema}.cloacina_task_execution SET run_at = now() - interval '1 hour' WHERE execution_id = $1`,
      [id],
    );
  },
  'stalled-executions': async (admin, { schema, runner }) => {
    const { id } = await runner.start('waiting');
    await admin.query(
      `UPDATE ${schema}.cloacina_task_execution SET run_at = NULL WHERE execution_id = $1`,
      [id],
    );
  },
  schedules: async (admin, { schema, runner }) => {
    await runner.schedules.create('late', 'waiting', { every: '1h' });
    await admin.query(
      `UPDATE ${schema}.cloacina_schedule SET next_at = now() - interval '1 hour', version = version + 1`,
    );
  },
  'unfinished-move': (admin, { schema }) =>
    admin.query(
      `UPDATE ${schema}.cloacina_tenant
          SET state = 'stopping', move_id = gen_random_uuid(), peer = 'us', deadline = now() - interval '1 hour'`,
    ),
  archive: (admin, { schema }) =>
    admin.query(
      `INSERT INTO ${schema}.cloacina_retention (failures, failure, failed_at) VALUES (3, $1, now())`,
      [JSON.stringify({ name: 'Error', message: 'the bucket is full' })],
    ),
  'failed-executions': async (admin, { schema, runner }) => {
    for (const port of [5432, 5433]) {
      const { id } = await runner.start('waiting');
      await admin.query(
        // As the library stores it: the error is that of the task.
        `WITH task AS (
           UPDATE ${schema}.cloacina_task_execution
              SET status = 'Failed', run_at = NULL, completed_at = now(), error = $2
            WHERE execution_id = $1)
         UPDATE ${schema}.cloacina_workflow_execution SET status = 'Failed', completed_at = now() WHERE id = $1`,
        [id, JSON.stringify({ name: 'Error', message: `connect ECONNREFUSED db:${port}` })],
      );
    }
  },
  'dead-tuples': (admin, { schema }) =>
    admin.query(`ALTER TABLE ${schema}.cloacina_state SET (autovacuum_enabled = off)`),
  'ended-executions': (admin, { schema }) =>
    admin.query(
      `UPDATE pg_class SET reltuples = 2e6 WHERE oid = '${schema}.cloacina_workflow_execution'::regclass`,
    ),
};
