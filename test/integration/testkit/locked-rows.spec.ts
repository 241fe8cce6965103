import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createTestingTenant, type OwnTestingTenant } from 'nestjs-cloacina/testing';
import type { Client } from 'pg';
import { Ledger, Order } from '../../unit/testkit/approval-scene.js';
import { connectAdmin } from '../../support/postgres.js';
import { SentStatements } from '../../support/sent-statements.js';
import { waitFor } from '../../support/wait-for.js';

let tenant: OwnTestingTenant;
let other: Client;
beforeEach(async () => {
  tenant = await createTestingTenant({
    store: 'postgres',
    workflows: [Order],
    providers: [Ledger],
  });
  other = await connectAdmin();
});
afterEach(async () => {
  await tenant.close();
  await other.end();
});

it('A bulk call waits for locked rows in real time, while time stands still', async () => {
  await tenant.runner.start(Order, { orderId: 1 });
  await tenant.drain();
  const { rows } = await other.query<{ schema: string }>(
    "SELECT schemaname AS schema FROM pg_tables WHERE tablename = 'cloacina_task_execution'",
  );
  const schema = rows.map((row) => row.schema).find((name) => name.startsWith('cloacina_test_'));
  await other.query(`BEGIN; SELECT FROM ${schema}.cloacina_task_execution FOR UPDATE`);
  const sent = new SentStatements();
  const paused = tenant.runner.pauseMany({ workflow: Order });
  // The second one is sent because the first one has left out what is locked.
  await waitFor(() => sent.with('SKIP LOCKED').length > 1, { what: 'the second statement' });
  await other.query('ROLLBACK');
  expect(await paused).toEqual({ matched: 1, changed: 1 });
});
