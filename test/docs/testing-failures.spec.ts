import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import {
  cloacinaMatchers,
  createTestingTenant,
  type OwnTestingTenant,
} from 'nestjs-cloacina/testing';
import { Approval, Sale, Shop } from './sale.js';

expect.extend(cloacinaMatchers);

let tenant: OwnTestingTenant;

beforeAll(async () => {
  tenant = await createTestingTenant({ workflows: [Sale], providers: [Shop] });
});
afterEach(() => tenant.restoreTasks());
afterAll(() => tenant.close());

test('a bank that is closed is asked again after ten minutes', async () => {
  const attempts: Date[] = [];
  tenant.mockTask(Sale, 'charge', ({ attempt }) => {
    attempts.push(tenant.time.now());
    if (attempt === 1) throw new Error('The bank is closed.');
    return { paymentId: 'payment 1' };
  });
  await tenant.runner.start(Sale, { amount: 250 });
  await tenant.time.advance('11m');
  expect(attempts.map((time) => time.getUTCMinutes())).toEqual([0, 10]);
});

test('a crash after the charge charges again, with the same key', async () => {
  const keys: string[] = [];
  tenant.mockTask(Sale, 'charge', ({ idempotencyKey }) => {
    keys.push(idempotencyKey);
    return { paymentId: 'payment 1' };
  });
  await tenant.crash({ after: 'handler', workflow: Sale, task: 'charge' });
  const { id } = await tenant.runner.start(Sale, { amount: 250 });
  await tenant.drain();

  await tenant.restart();
  await tenant.signal(id, Approval, { by: 'Ada' });
  expect(await tenant.time.advanceUntil(id)).toHaveCompleted();
  expect(keys).toEqual([`${id}:charge`, `${id}:charge`]);
});
