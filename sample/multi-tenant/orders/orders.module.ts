import { Module } from '@nestjs/common';
import { PublicUrl } from '../public-url.js';
import { CharterOrder } from './charter-order.workflow.js';
import { OrdersService } from './orders.service.js';
import { PaymentProvider } from './payment-provider.js';

@Module({
  providers: [CharterOrder, OrdersService, PaymentProvider, PublicUrl],
  exports: [OrdersService],
})
export class OrdersModule {}
