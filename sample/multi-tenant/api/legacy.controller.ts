import { Controller, Get, Post } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { CloacinaRunner, InjectRunner } from 'nestjs-cloacina';
import type { Repository } from 'typeorm';
import { ImportReport } from '../airports/import-report.entity.js';
import { AirportImport } from '../imports/airport-import.workflow.js';

/** The API from before there were tenants. Its only customer is in `public`, and is not affected by the others. */
@Controller()
export class LegacyController {
  constructor(
    @InjectRunner('legacy') private readonly runner: CloacinaRunner,
    @InjectRepository(ImportReport, 'legacy') private readonly reports: Repository<ImportReport>,
  ) {}

  @Post('imports')
  async start(): Promise<{ id: string }> {
    const { id } = await this.runner.start(AirportImport, { limit: 500 });
    return { id };
  }

  @Get('reports')
  list(): Promise<ImportReport[]> {
    return this.reports.find({ order: { createdAt: 'DESC' }, take: 10 });
  }
}
