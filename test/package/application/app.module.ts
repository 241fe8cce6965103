import { Module } from '@nestjs/common';
import { CloacinaModule } from 'nestjs-cloacina';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';
import { OrderWorkflow } from './order.workflow.js';

/** What the starter has, and one tenant with one workflow. */
@Module({
  imports: [CloacinaModule.forTenant({ schema: process.env['SCHEMA'] ?? 'orders' })],
  controllers: [AppController],
  providers: [AppService, OrderWorkflow],
})
export class AppModule {}
