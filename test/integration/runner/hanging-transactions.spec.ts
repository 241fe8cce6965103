import { expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant } from '../../support/open-tenant.js';
import { connectAdmin } from '../../support/postgres.js';

test('a transactional task whose statement hangs loses its connection at its timeout, and begins again', async () => {
  const attempts: number[] = [];
  const workflow = defineWorkflow('hanging')
    .task(
      'write',
      {
        transactional: true,
        timeout: 500,
        retry: { delay: 10, jitter: false, maxAttempts: 50 },
      },
      async ({ attempt, manager }) => {
        attempts.push(attempt);
        // The first attempt waits for a lock that nobody lets go before the test has ended.
        if (attempt === 1) await manager.query('LOCK TABLE ledger');
        await manager.query('INSERT INTO effect VALUES ($1)', [attempt]);
      },
    )
    .build();
  const tenant = await openTenant([workflow], { maxConcurrentTasks: 1 });
  await tenant.query('CREATE TABLE ledger ()');
  await tenant.query('CREATE TABLE effect (attempt integer)');
  const holder = await connectAdmin();
  try {
    await holder.query(`BEGIN; LOCK TABLE ${holder.escapeIdentifier(tenant.schema)}.ledger`);
    // The only slot is free again, or the second attempt could not begin.
    const { status } = await tenant.runner.execute(workflow, {}, { timeout: '60s' });
    expect(status).toBe('Completed');
    // A slow machine may need more than the second.
    const last = attempts.at(-1);
    expect(last).toBeGreaterThan(1);
    expect(await tenant.query('SELECT attempt FROM effect')).toEqual([{ attempt: last }]);
  } finally {
    await holder.end();
  }
});
