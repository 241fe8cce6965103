import { Module } from '@nestjs/common';
import { CloacinaModule } from 'nestjs-cloacina';
import { CloacinaDashboardModule } from 'nestjs-cloacina/dashboard';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';
import { OrderWorkflow } from './order.workflow.js';

/** What the starter has, one tenant with one workflow, and the dashboard. */
@Module({
  imports: [
    CloacinaModule.forTenant({ schema: process.env['SCHEMA'] ?? 'orders' }),
    CloacinaDashboardModule.register({ path: 'cloacina' }),
  ],
  controllers: [AppController],
  providers: [AppService, OrderWorkflow],
})
export class AppModule {}
