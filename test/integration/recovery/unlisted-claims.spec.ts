import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { openTenant, queryIn, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';

/** Longer than any test: nothing here is owed to a lease that runs out. */
const leaseDurationMs = 300_000;
const BOUND = { timeout: '60s' } as const;

const work = defineWorkflow('work')
  .task('only', () => undefined)
  .build();

/**
 * Executions whose tasks run under an owner that no list and no lease names: as after a process was killed whose lists
 * were deleted.
 */
async function leave(schema: string, executions: number): Promise<string[]> {
  const client = await openTenant([work], { schema, maxConcurrentTasks: 0, leaseDurationMs });
  const ids: string[] = [];
  for (let i = 0; i < executions; i++)
    ids.push((await client.runner.start(work, {}, { delay: '1h' })).id);
  await client.close();
  await queryIn(schema, `UPDATE cloacina_workflow_execution SET status = 'Running', started_at = now()`); // prettier-ignore
  await queryIn(
    schema,
    `UPDATE cloacina_task_execution
     SET status = 'Running', owner = $1, run_at = NULL, started_at = now(),
         claim_token = (((claim_token >> 33) + 1) << 33) + 2 * 12345`,
    [randomUUID()],
  );
  return ids;
}

async function completed(tenant: OpenTenant, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { status, tasks } = await tenant.runner.handle(id).result(BOUND);
    expect([status, tasks[0]?.recoveryAttempts]).toEqual(['Completed', 1]);
  }
}

describe('Tasks that run, and are in no list of claims', () => {
  it('are found by a boot', async () => {
    const schema = freshSchema();
    const ids = await leave(schema, 3);
    const tenant = await openTenant([work], { schema, leaseDurationMs });
    await completed(tenant, ids);
    expect((await tenant.recovery.stats()).recovered).toBe(3);
  });

  it('are found by a recovery on request, which counts them', async () => {
    const schema = freshSchema();
    const tenant = await openTenant([work], { schema, leaseDurationMs });
    const ids = await leave(schema, 3);
    expect(await tenant.recovery.run()).toMatchObject({ recovered: 3, abandoned: 0 });
    await completed(tenant, ids);
    const { items } = await tenant.recovery.events();
    expect(items.map(({ cause }) => cause)).toEqual(['manual', 'manual', 'manual']);
    expect(await tenant.recovery.run()).toMatchObject({ recovered: 0 });
  });

  it('are left to their process while it lives and knows them', async () => {
    const [reached, exit] = [gate(), gate()];
    const held = defineWorkflow('held')
      .task('only', async () => {
        reached.open();
        await exit.passed;
      })
      .build();
    const tenant = await openTenant([held], { leaseDurationMs });
    const { id } = await tenant.runner.start(held);
    await reached.passed;
    await tenant.query('TRUNCATE cloacina_claim_batch');
    expect(await tenant.recovery.run()).toMatchObject({ recovered: 0, abandoned: 0 });
    // Twice, if the search of the boot comes to it at the same time.
    const listed = 'SELECT DISTINCT unnest(execution_ids) AS id FROM cloacina_claim_batch';
    expect(await tenant.query(listed)).toEqual([{ id }]);
    // The process compares its claims with its memory, and keeps them.
    tenant.engine.reconcileClaims();
    exit.open();
    const { status, tasks } = await tenant.runner.handle(id).result(BOUND);
    expect([status, tasks[0]?.recoveryAttempts]).toEqual(['Completed', 0]);
  });
});
