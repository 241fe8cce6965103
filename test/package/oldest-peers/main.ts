import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as library from 'nestjs-cloacina';
import { CloacinaModule, CloacinaRunner, Task, type TaskContext, Workflow } from 'nestjs-cloacina';
import { passTwoWeeks } from './two-weeks';

/** The least application there is: one tenant, one workflow. */
interface Order {
  price: number;
  quantity: number;
  total?: number;
  shipped?: string;
}

@Workflow({ name: 'order' })
class OrderFulfilment {
  @Task()
  charge(context: TaskContext<Order>): { total: number } {
    return { total: context.get('price') * context.get('quantity') };
  }

  @Task({ dependsOn: ['charge'] })
  ship(context: TaskContext<Order>): { shipped: string } {
    return { shipped: `worth ${context.require('total')}` };
  }
}

@Module({
  imports: [CloacinaModule.forTenant({ schema: process.env['SCHEMA'] ?? 'consumer' })],
  providers: [OrderFulfilment],
})
class Application {}

async function main(): Promise<void> {
  // Messages name classes, and a bundler may rename them.
  for (const [name, exported] of Object.entries(library)) {
    if (typeof exported === 'function') assert.equal(exported.name, name);
  }
  const application = await NestFactory.createApplicationContext(Application, {
    logger: ['error', 'warn'],
  });
  application.enableShutdownHooks();
  const runner = application.get(CloacinaRunner);
  const { status, context } = await runner.execute(
    OrderFulfilment,
    { price: 7, quantity: 6 },
    { timeout: '20s' },
  );
  await application.close();
  assert.equal(status, 'Completed');
  assert.deepEqual(context, { price: 7, quantity: 6, total: 42, shipped: 'worth 42' });
  await passTwoWeeks();
  console.log('OK');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
