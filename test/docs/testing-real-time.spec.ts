import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { CloacinaModule, CloacinaRunner, NonRetryableError } from 'nestjs-cloacina';
import { Approval, Sale, Shop } from './sale.js';

const charge = jest.fn<Shop['charge']>();
let app: TestingModule;
let runner: CloacinaRunner;

beforeAll(async () => {
  const schema = `test_${randomBytes(6).toString('hex')}`;
  app = await Test.createTestingModule({
    imports: [CloacinaModule.forTenant({ schema })], // uses DATABASE_URL
    providers: [Sale, Shop],
  })
    .overrideProvider(Shop)
    .useValue({ charge, ship: async () => 'parcel 1' })
    .compile();
  await app.init();
  runner = app.get(CloacinaRunner);
});
afterAll(() => app.close());

test('a sale is charged, approved and shipped', async () => {
  charge.mockResolvedValue('payment 1');
  const { id } = await runner.start(Sale, { amount: 250 });
  await runner.signal(id, Approval, { by: 'Ada' });
  const result = await runner.handle(id).result({ timeout: '20s' });
  expect(result.context).toMatchObject({ paymentId: 'payment 1', parcel: 'parcel 1' });
});

test('a declined card fails the sale', async () => {
  charge.mockRejectedValue(new NonRetryableError('declined'));
  const waiting = runner.execute(Sale, { amount: 250 }, { timeout: '20s' });
  await expect(waiting).rejects.toMatchObject({
    code: 'WORKFLOW_FAILED',
    cause: { message: 'declined' },
  });
});
