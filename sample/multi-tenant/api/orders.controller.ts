import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import type { Execution } from 'nestjs-cloacina';
import { OrdersService } from '../orders/orders.service.js';
import { ApproveOrderDto } from './approve-order.dto.js';
import { StartOrderDto } from './start-order.dto.js';

@Controller('tenants/:tenant/orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  @HttpCode(202)
  async start(
    @Param('tenant') tenant: string,
    @Body() { seats }: StartOrderDto,
  ): Promise<{ id: string }> {
    const { id } = await this.orders.start(tenant, seats);
    return { id };
  }

  @Get(':id')
  get(@Param('tenant') tenant: string, @Param('id') id: string): Promise<Execution> {
    return this.orders.get(tenant, id);
  }

  /** Responds when the approval is stored. The order continues by itself. */
  @Post(':id/approve')
  @HttpCode(202)
  async approve(
    @Param('tenant') tenant: string,
    @Param('id') id: string,
    @Body() { by }: ApproveOrderDto,
  ): Promise<{ approvedBy: string }> {
    await this.orders.approve(tenant, id, { by });
    return { approvedBy: by };
  }
}
