import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { createTestingTenant, type CreateTestingTenantOptions } from 'nestjs-cloacina/testing';
import { Approval, Ledger, Nightly, Order } from './approval-scene.js';

let written: string[];
beforeEach(() => {
  written = [];
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
  }
});
afterEach(() => void jest.restoreAllMocks());

/** Retries, a crash, a recovery and a failure. */
async function eventful(options: CreateTestingTenantOptions): Promise<string> {
  const tenant = await createTestingTenant({
    workflows: [Order, Nightly],
    providers: [Ledger],
    ...options,
  });
  tenant.get(Ledger).failures = 1;
  await tenant.crash({ after: 'handler', task: 'charge' });
  const approved = await tenant.runner.start(Order, { orderId: 1 });
  await tenant.drain();
  await tenant.restart();
  await tenant.time.advance('1d');
  await tenant.signal(approved, Approval, { approved: true });
  tenant.get(Ledger).failures = 9;
  await tenant.run(Order, { orderId: 2 });
  await tenant.close();
  return written.join('');
}

it('writes nothing about retries, recoveries and failures', async () => {
  expect(await eventful({})).toBe('');
});

it('shows recoveries to a test that asks for the log', async () => {
  expect(await eventful({ logger: ['warn'] })).toMatch(/WARN.*CloacinaRecovery/);
});

it('shows failed attempts with logFailures', async () => {
  const log = await eventful({ logFailures: true });
  expect(log).toMatch(/attempt 5 of 5 of task charge of order failed/);
  expect(log).toMatch(/ERROR.*failed at task charge: RangeError: The bank is closed\./);
});
