import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';

/** The statements of "Restored backups and copied schemas", as a person would copy them. */
async function restoreSql(): Promise<string> {
  const page = await readFile('docs/operations.md', 'utf8');
  const [sql] = /BEGIN;[^]*?COMMIT;/.exec(page) ?? [];
  if (sql === undefined) throw new Error('The page has no statements.');
  return sql;
}

it('A copy that was restored as the page says runs nothing: no task, no delayed start and no schedule', async () => {
  const schema = freshSchema();
  let runs = 0;
  const quick = defineWorkflow('quick')
    .task('only', () => void runs++)
    .build();
  const original = await openTenant([quick], { schema });
  await original.runner.schedules.create('often', quick, { every: '1s' });
  const { id } = await original.runner.start(quick, {}, { delay: '1h' });
  const { query } = original;
  await original.close();
  const before = await query('SELECT FROM cloacina_workflow_execution');
  await query(await restoreSql());
  // All that would be due in the meantime is due.
  await query(`UPDATE cloacina_schedule SET next_at = now(), next_for = now();
               UPDATE cloacina_task_execution SET run_at = now() WHERE run_at IS NOT NULL`);
  const ranBefore = runs;
  const copy = await openTenant([quick], { schema });
  // It works on what is new.
  expect(await copy.runner.execute(quick, {})).toMatchObject({ status: 'Completed' });
  await copy.engine.schedules.fireDue();
  expect(await query('SELECT FROM cloacina_workflow_execution')).toHaveLength(before.length + 1);
  expect(runs).toBe(ranBefore + 1);
  expect((await copy.runner.get(id))?.status).toBe('Cancelled');
  expect(await copy.runner.schedules.get('often')).toMatchObject({ state: 'paused' });
});
