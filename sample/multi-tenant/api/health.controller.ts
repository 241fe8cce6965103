import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { Tenants } from '../tenants/tenants.js';

@Controller('health')
export class HealthController {
  constructor(private readonly tenants: Tenants) {}

  /** 200 when each tenant's database answers, 503 otherwise. */
  @Get()
  async check(): Promise<{ status: string; tenants: Record<string, string> }> {
    const { all } = this.tenants;
    const answers = await Promise.allSettled(
      all.map(({ dataSource }) => dataSource.query('SELECT 1')),
    );
    const tenants = Object.fromEntries(
      all.map(({ name }, i) => [name, answers[i]?.status === 'fulfilled' ? 'up' : 'down']),
    );
    if (Object.values(tenants).includes('down')) {
      throw new ServiceUnavailableException({ status: 'down', tenants });
    }
    return { status: 'up', tenants };
  }
}
