import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule, CloacinaTenants, Task, type TaskContext, Workflow } from 'nestjs-cloacina';

interface Order {
  orderId: number;
  parcel?: string;
}

/** What the release of the application is: the second one has mended the workflow. */
const isMended = process.env['RELEASE'] === '2';

@Workflow({ name: 'order-fulfilment' })
@Injectable()
class OrderFulfilment {
  @Task({ retry: { maxAttempts: 2, delay: 1, jitter: false } })
  ship(context: TaskContext<Order>) {
    if (!isMended) throw new Error(`no carrier for order ${context.require('orderId')}`);
    return { parcel: `parcel of ${context.require('orderId')}` };
  }
}

@Module({
  imports: [
    CloacinaModule.forTenant({ tenant: 'acme', schema: 'tenant_acme' }),
    CloacinaModule.forTenant({ tenant: 'globex', schema: 'tenant_globex' }),
  ],
  providers: [OrderFulfilment],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['fatal'] });
app.enableShutdownHooks();
process.send?.({ kind: 'serving' });

/** Starts an order, or waits for the end of one. */
process.on(
  'message',
  ({ tenant, orderId, id }: { tenant: string; orderId?: number; id?: string }) => {
    const { runner } = app.get(CloacinaTenants).get(tenant);
    void (async () => {
      const execution = id ?? (await runner.start(OrderFulfilment, { orderId })).id;
      const { status } = await runner.handle(execution).result({ settled: true });
      process.send?.({ kind: 'ended', id: execution, status });
    })();
  },
);
