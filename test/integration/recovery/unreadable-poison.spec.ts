import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { listClaims } from '../../support/list-claims.js';
import { openTenant, type OpenTenant, stopRounds } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const poison = defineWorkflow('poison')
  .task('only', () => undefined)
  .build();
const other = defineWorkflow('other')
  .task('only', () => undefined)
  .build();

it('A task that was lost too often, and whose definition this release can not read, is no endless work', async () => {
  const schema = freshSchema();
  const newer = await openTenant([poison], { schema, maxConcurrentTasks: 0 });
  const { id } = await newer.runner.start(poison);
  const { query } = newer;
  const [stored] = await query<{ definition: object }>(
    `SELECT definition FROM cloacina_workflow_definition`,
  );
  // As of a later format; and as it is left when its process is lost once more.
  await query(`UPDATE cloacina_workflow_definition SET definition = '{"format": 99}'`);
  await query(
    `UPDATE cloacina_task_execution SET status = 'Running', owner = gen_random_uuid(), run_at = NULL,
       started_at = now(), recovery_attempts = 3`,
  );
  await query(listClaims());
  await newer.close();

  const older: OpenTenant = await openTenant([other], { schema, claiming: false });
  stopRounds(older);
  await older.recovery.run();
  const events = (): Promise<object[]> => query('SELECT kind FROM cloacina_recovery_event');
  expect(await events()).toEqual([{ kind: 'abandoned' }]);
  for (let i = 0; i < 3; i++) {
    older.engine.reconcileClaims();
    await waitFor(() => !older.engine.isBusy);
  }
  expect(await events()).toHaveLength(1);
  expect((await older.runner.list({ workflow: 'other' })).items).toEqual([]);
  await older.close();

  // A release that can read it records it, when the other's lease is over.
  await query('UPDATE cloacina_workflow_definition SET definition = $1', [stored?.definition]);
  await query(`UPDATE cloacina_runner_lease SET expires_at = now() - interval '1 hour'`);
  const again = await openTenant([poison], { schema });
  expect((await again.runner.handle(id).result({ settled: true })).error?.code).toBe(
    'TASK_ABANDONED',
  );
});
