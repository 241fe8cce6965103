import { Test } from '@nestjs/testing';
import { CloacinaModule, CloacinaRunner, type TaskContext } from 'nestjs-cloacina';
import { type Order, OrderWorkflow } from './order.workflow.js';

/** `describe`, `it` and `expect` are globals, as the starters configure Jest and Vitest. */
describe('OrderWorkflow', () => {
  it('computes the total', () => {
    const require = (key: keyof Order) => ({ price: 7, quantity: 6 })[key as 'price'];
    const context = { require } as unknown as TaskContext<Order>;
    expect(new OrderWorkflow().charge(context)).toEqual({ total: 42 });
  });

  it('runs to its end', async () => {
    const module = await Test.createTestingModule({
      imports: [CloacinaModule.forTenant({ schema: `${process.env['SCHEMA']}_test` })],
      providers: [OrderWorkflow],
    }).compile();
    await module.init();
    const runner = module.get(CloacinaRunner);
    const { status, context } = await runner.execute(
      OrderWorkflow,
      { price: 7, quantity: 6 },
      { timeout: '60s' },
    );
    await module.close();
    expect(status).toBe('Completed');
    expect(context).toEqual({ price: 7, quantity: 6, total: 42, shipped: 'worth 42' });
  }, 120_000);
});
