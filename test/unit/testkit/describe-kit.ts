import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  cloacinaMatchers,
  createTestingTenant,
  type OwnTestingTenant,
} from 'nestjs-cloacina/testing';
import { Approval, Ledger, Nightly, Order } from './approval-scene.js';

expect.extend(cloacinaMatchers);

/** What the test kit does on each store. */
export function describeKit(store: 'memory' | 'postgres'): void {
  let tenant: OwnTestingTenant;
  let ledger: Ledger;
  beforeEach(async () => {
    tenant = await createTestingTenant({
      store,
      workflows: [Order, Nightly],
      providers: [Ledger],
      startsAt: new Date('2030-01-01T12:00:00Z'),
    });
    ledger = tenant.get(Ledger);
  });
  afterEach(() => tenant.close());

  describe(`The test kit on ${store}`, () => {
    it('runs an approval of 14 days, a nightly schedule, retries and a crash', async () => {
      ledger.failures = 3;
      const { id } = await tenant.runner.start(Order, { orderId: 17 });
      await tenant.time.advance('70m');
      expect(ledger.lines).toEqual(['charge 1', 'charge 2', 'charge 3', 'charge 4']);
      await tenant.time.advance('13d');
      const before = tenant.time.now();
      await tenant.crash({ after: 'handler', workflow: Order, task: 'ship' });
      await tenant.signal(id, Approval, { approved: true });
      expect(tenant.isDown).toBe(true);
      await tenant.restart();
      const order = await tenant.time.advanceUntil(id);
      expect(order).toHaveCompleted();
      expect(order).toHaveRun(['charge', 'approve', 'ship']);
      expect(order.context).toMatchObject({ receipt: 'r-17', approved: true, parcel: 'p-1' });
      expect(ledger.lines.filter((line) => line.startsWith('report'))).toHaveLength(13);
      expect(ledger.lines.slice(-2)).toEqual(['ship', 'ship']);
      expect(tenant.time.now().getTime() - before.getTime()).toBeLessThan(1_000);
    });
  });
}
