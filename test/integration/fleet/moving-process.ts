/** A process of a tenant on two servers. It runs a task that does not end, and tells the test; a test kills it. */
import 'reflect-metadata';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';

const schema = process.env['MOVE_SCHEMA'] ?? '';

const hold = defineWorkflow('hold')
  .task('only', ({ executionId }) => {
    process.send?.({ id: executionId });
    return new Promise<never>(() => undefined);
  })
  .build();

@Module({
  imports: [
    CloacinaModule.forRoot({
      servers: {
        eu: { databaseUrl: process.env['MOVE_EU'] ?? '' },
        us: { databaseUrl: process.env['MOVE_US'] ?? '' },
      },
    }),
    CloacinaModule.forTenant({ schema, server: 'eu', leaseDuration: '3s' }),
  ],
  providers: [{ provide: hold.name, useValue: hold }],
})
class AppModule {}

Logger.overrideLogger(false);
const app = await NestFactory.createApplicationContext(AppModule);
await app.get(CloacinaTenants).get(schema).runner.start(hold);
