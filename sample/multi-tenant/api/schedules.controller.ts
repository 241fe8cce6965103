import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import type { TenantSchedule } from 'nestjs-cloacina';
import { Tenants } from '../tenants/tenants.js';

type ShownSchedule = Pick<TenantSchedule, 'name' | 'workflow' | 'state' | 'nextAt'>;

/** The schedules of a customer. A poller is one of them. */
@Controller('tenants/:tenant/schedules')
export class SchedulesController {
  constructor(private readonly tenants: Tenants) {}

  @Get()
  async list(@Param('tenant') tenant: string): Promise<ShownSchedule[]> {
    const schedules = await this.tenants.get(tenant).runner.schedules.list();
    return schedules.map(({ name, workflow, state, nextAt }) => ({
      name,
      workflow,
      state,
      nextAt,
    }));
  }

  @Post(':name/run')
  @HttpCode(202)
  async run(@Param('tenant') tenant: string, @Param('name') name: string): Promise<{ id: string }> {
    const { id } = await this.tenants.get(tenant).runner.schedules.runNow(name);
    return { id };
  }
}
