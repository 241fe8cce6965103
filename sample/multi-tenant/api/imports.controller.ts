import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import type { Execution, ExecutionStatus, ExecutionSummary } from 'nestjs-cloacina';
import type { ImportReport } from '../airports/import-report.entity.js';
import { ImportsService } from '../imports/imports.service.js';
import { ListExecutionsDto } from './list-executions.dto.js';
import { StartImportDto } from './start-import.dto.js';

type ShownExecution = Pick<
  ExecutionSummary,
  'id' | 'workflow' | 'status' | 'createdAt' | 'completedAt'
>;

@Controller('tenants/:tenant')
export class ImportsController {
  constructor(private readonly imports: ImportsService) {}

  @Post('imports')
  @HttpCode(202)
  async start(
    @Param('tenant') tenant: string,
    @Body() { limit, delay, key }: StartImportDto,
  ): Promise<{ id: string; created: boolean; status: ExecutionStatus }> {
    const handle = await this.imports.start(tenant, limit === undefined ? {} : { limit }, {
      ...(delay === undefined ? {} : { delay }),
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
    return { id: handle.id, created: handle.created, status: await handle.status() };
  }

  @Get('executions')
  async list(
    @Param('tenant') tenant: string,
    @Query() filter: ListExecutionsDto,
  ): Promise<{ items: ShownExecution[]; nextCursor: string | null }> {
    const { items, nextCursor } = await this.imports.list(tenant, filter);
    return { items: items.map(summaryOf), nextCursor };
  }

  @Get('executions/:id')
  get(@Param('tenant') tenant: string, @Param('id') id: string): Promise<Execution> {
    return this.imports.get(tenant, id);
  }

  @Post('executions/:id/cancel')
  @HttpCode(200)
  async cancel(@Param('tenant') tenant: string, @Param('id') id: string): Promise<ShownExecution> {
    return summaryOf(await this.imports.cancel(tenant, id, 'asked for by HTTP'));
  }

  @Post('executions/:id/retry')
  @HttpCode(200)
  async retry(@Param('tenant') tenant: string, @Param('id') id: string): Promise<ShownExecution> {
    return summaryOf(await this.imports.retry(tenant, id));
  }

  @Get('report')
  report(@Param('tenant') tenant: string): Promise<ImportReport> {
    return this.imports.lastReport(tenant);
  }
}

function summaryOf(execution: ExecutionSummary): ShownExecution {
  const { id, workflow, status, createdAt, completedAt } = execution;
  return { id, workflow, status, createdAt, ...(completedAt && { completedAt }) };
}
