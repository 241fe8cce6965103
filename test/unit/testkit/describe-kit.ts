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

    it('has bulk calls take what was started while time stood still', async () => {
      const { ids } = await tenant.runner.startMany(Order, [{ orderId: 1 }, { orderId: 2 }]);
      const filter = { workflow: Order };
      expect(await tenant.runner.pauseMany(filter)).toEqual({ matched: 2, changed: 2 });
      expect(await tenant.runner.resumeMany(filter)).toEqual({ matched: 2, changed: 2 });
      await tenant.drain();
      const approved = await tenant.runner.signalMany(filter, Approval, { approved: true });
      expect(approved).toEqual({ matched: 2, changed: 2 });
      for (const id of ids) expect(await tenant.time.advanceUntil(id)).toHaveCompleted();
      expect(await tenant.runner.deleteMany(filter)).toEqual({ matched: 2, changed: 2 });
    });
  });
}
