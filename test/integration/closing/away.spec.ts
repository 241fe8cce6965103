import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { openTenant, processEngineOf } from '../../support/open-tenant.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';

test('a close while the database is away waits for it no longer than shutdownTimeout', async () => {
  const begun = gate();
  const over = gate();
  const held = defineWorkflow('held')
    .task('held', async () => {
      begun.open();
      await over.passed;
    })
    .build();
  const proxy = await TcpProxy.start();
  const tenant = await openTenant([held], { databaseUrl: proxy.url, shutdownTimeoutMs: 500 });
  const { id } = await tenant.runner.start(held, {});
  await begun.passed;
  await proxy.refuse();
  await waitFor(() => processEngineOf(tenant).session === undefined);
  // There is an outcome to record, a lease to release, and pools that would like to connect.
  over.open();
  const patience = new AbortController();
  const closed = tenant.close().then(() => 'closed');
  // Its graces for a database that answers are five seconds and two, one after the other, and then those of the pools.
  const graces = delay(4_000, 'still waiting', { signal: patience.signal }).catch(() => '');
  expect(await Promise.race([closed, graces])).toBe('closed');
  patience.abort();
  await closed;
  const rows = await tenant.query<{ status: string }>(
    'SELECT status FROM cloacina_task_execution WHERE execution_id = $1',
    [id],
  );
  // Its lease runs out, and another process recovers it.
  expect(rows).toEqual([{ status: 'Running' }]);
});
