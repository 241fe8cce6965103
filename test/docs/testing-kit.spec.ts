import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { cloacinaMatchers, CloacinaTestingModule, TestingTenant } from 'nestjs-cloacina/testing';
import { Approval, Sale, Shop } from './sale.js';

expect.extend(cloacinaMatchers);

let module: TestingModule;
let tenant: TestingTenant;

beforeAll(async () => {
  module = await Test.createTestingModule({
    imports: [CloacinaTestingModule.forTenant()],
    providers: [Sale, Shop],
  }).compile();
  await module.init();
  tenant = module.get(TestingTenant);
});
afterAll(() => module.close());

test('a sale waits for its approval, however long it takes', async () => {
  const { id } = await tenant.runner.start(Sale, { amount: 250 });
  await tenant.time.advance('13d');
  await tenant.signal(id, Approval, { by: 'Ada' });

  const sale = await tenant.time.advanceUntil(id);
  expect(sale).toHaveCompleted();
  expect(sale).toHaveRun(['charge', 'approve', 'ship']);
  expect(sale.context).toMatchObject({ approvedBy: 'Ada', parcel: 'parcel 1' });
});

test('a sale without an approval fails after 14 days', async () => {
  const sale = await tenant.run(Sale, { amount: 250 });
  expect(sale).toHaveFailedWith('not approved in time');
  expect(sale).toHaveRun(['charge', 'approve']);
});
