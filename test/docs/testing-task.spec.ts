import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestingTenant, type OwnTestingTenant } from 'nestjs-cloacina/testing';
import { Sale, Shop } from './sale.js';

let tenant: OwnTestingTenant;

beforeAll(async () => {
  tenant = await createTestingTenant({ workflows: [Sale], providers: [Shop] });
});
afterAll(() => tenant.close());

test('charges the amount', async () => {
  const result = await tenant.runTask(Sale, 'charge', { context: { amount: 250 }, attempt: 2 });
  expect(result).toEqual({ paymentId: 'payment of 250 for charge' });
});

test('needs an amount', async () => {
  await expect(tenant.runTask(Sale, 'charge')).rejects.toMatchObject({ code: 'INVALID_CONTEXT' });
});
