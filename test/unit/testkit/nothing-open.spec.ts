import { afterEach, expect, it, jest } from '@jest/globals';
import { createTestingTenant } from 'nestjs-cloacina/testing';
import { Approval, Ledger, Nightly, Order } from './approval-scene.js';

afterEach(() => void jest.restoreAllMocks());

it('keeps no timer and no socket in real time, even if the tenant is not closed', async () => {
  const kept = new Set<NodeJS.Timeout>();
  const real = globalThis.setInterval;
  jest.spyOn(globalThis, 'setInterval').mockImplementation((...args: Parameters<typeof real>) => {
    const timer = real(...args);
    kept.add(timer);
    return timer;
  });
  const tenant = await createTestingTenant({ workflows: [Order, Nightly], providers: [Ledger] });
  const { id } = await tenant.runner.start(Order, { orderId: 1 });
  await tenant.time.advance('1d');
  await tenant.crash();
  await tenant.restart();
  await tenant.signal(id, Approval, { approved: true });
  expect([...kept].filter((timer) => timer.hasRef())).toEqual([]);
  expect(process.getActiveResourcesInfo()).not.toContain('TCPSocketWrap');
  await tenant.close();
});
