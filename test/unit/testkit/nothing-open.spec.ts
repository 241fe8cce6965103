import { expect, it } from '@jest/globals';
import { createTestingTenant, type OwnTestingTenant } from 'nestjs-cloacina/testing';
import { Approval, Ledger, Nightly, Order } from './approval-scene.js';

/** What keeps the process alive for longer than this turn of the event loop, by kind. The test runner's own are among it. */
function open(): Record<string, number> {
  const counts: Record<string, number> = {};
  const kinds = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate');
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function twoWeeks(): Promise<OwnTestingTenant> {
  const tenant = await createTestingTenant({ workflows: [Order, Nightly], providers: [Ledger] });
  const { id } = await tenant.runner.start(Order, { orderId: 1 });
  await tenant.time.advance('1d');
  await tenant.crash();
  await tenant.restart();
  await tenant.signal(id, Approval, { approved: true });
  return tenant;
}

it('keeps no timer and no socket in real time, even before the tenant is closed', async () => {
  const before = open();
  const tenant = await twoWeeks();
  expect(open()).toEqual(before);
  await tenant.close();
  expect(open()).toEqual(before);
});
