import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule } from 'nestjs-cloacina';
import { Sale, Shop } from './sale.js';

// The worker that docs/testing.md kills.

class HangingShop extends Shop {
  override charge(): Promise<string> {
    return new Promise(() => undefined);
  }
}

@Module({
  imports: [CloacinaModule.forTenant({ schema: 'crash_test' })],
  providers: [
    Sale,
    { provide: Shop, useClass: process.env['HANGS'] === 'yes' ? HangingShop : Shop },
  ],
})
class Worker {}

const worker = await NestFactory.createApplicationContext(Worker, { logger: ['error'] });
worker.enableShutdownHooks();
