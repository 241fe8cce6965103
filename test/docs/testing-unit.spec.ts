import { expect, jest, test } from '@jest/globals';
import type { TaskContext } from 'nestjs-cloacina';
import { Sale, type SaleData, type Shop } from './sale.js';

/** Only what the handlers under test use. */
function contextOf(data: Partial<SaleData>): TaskContext<SaleData> {
  const context: Partial<TaskContext<SaleData>> = {
    get: (key) => data[key] as SaleData[typeof key],
    require: (key) => data[key] as NonNullable<SaleData[typeof key]>,
    idempotencyKey: 'execution:charge',
    signal: new AbortController().signal,
  };
  return context as TaskContext<SaleData>;
}

test('charges the amount once for the key of the task', async () => {
  const charge = jest.fn<Shop['charge']>().mockResolvedValue('payment 1');
  const sale = new Sale({ charge, ship: jest.fn<Shop['ship']>() });
  expect(await sale.charge(contextOf({ amount: 250 }))).toEqual({ paymentId: 'payment 1' });
  expect(charge).toHaveBeenCalledWith(250, 'execution:charge');
});
