import { Module, ValidationPipe } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { ImportsModule } from '../imports/imports.module.js';
import { OrdersModule } from '../orders/orders.module.js';
import { CloacinaExceptionFilter } from 'nestjs-cloacina';
import { CallbacksController } from './callbacks.controller.js';
import { HealthController } from './health.controller.js';
import { ImportsController } from './imports.controller.js';
import { LegacyController } from './legacy.controller.js';
import { OrdersController } from './orders.controller.js';
import { SchedulesController } from './schedules.controller.js';
import { TenantsController } from './tenants.controller.js';

@Module({
  imports: [ImportsModule, OrdersModule],
  controllers: [
    TenantsController,
    ImportsController,
    OrdersController,
    SchedulesController,
    CallbacksController,
    LegacyController,
    HealthController,
  ],
  providers: [
    { provide: APP_FILTER, useClass: CloacinaExceptionFilter },
    {
      provide: APP_PIPE,
      useValue: new ValidationPipe({
        transform: true,
        whitelist: true,
        forbidNonWhitelisted: true,
      }),
    },
  ],
})
export class ApiModule {}
