import { Injectable, NotFoundException } from '@nestjs/common';
import type {
  Execution,
  ExecutionFilter,
  ExecutionHandle,
  ExecutionPage,
  StartOptions,
} from 'nestjs-cloacina';
import { ImportReport } from '../airports/import-report.entity.js';
import { Tenants } from '../tenants/tenants.js';
import { AirportImport, type ImportContext } from './airport-import.workflow.js';
import { ImportProgress } from './import-progress.js';

const IMPORT = 'airport-import';

/** Starting and controlling imports, for the HTTP API and for the first import at boot. */
@Injectable()
export class ImportsService {
  constructor(
    private readonly tenants: Tenants,
    private readonly progress: ImportProgress,
  ) {}

  /** Starts an import, and shows how far it is. */
  async start(
    name: string,
    context: Pick<ImportContext, 'limit'>,
    options: StartOptions,
  ): Promise<ExecutionHandle> {
    const tenant = this.tenants.get(name);
    const handle = await tenant.runner.start(AirportImport, context, options);
    this.progress.follow(tenant, handle.id);
    return handle;
  }

  list(tenant: string, filter: ExecutionFilter): Promise<ExecutionPage> {
    return this.tenants.get(tenant).runner.list(filter);
  }

  /** @param id - an execution id, or `latest` for the newest import */
  async get(tenant: string, id: string): Promise<Execution> {
    const { runner } = this.tenants.get(tenant);
    const latest = async (): Promise<string> =>
      (await runner.list({ workflow: IMPORT, limit: 1 })).items[0]?.id ?? '';
    const execution = await runner.get(id === 'latest' ? await latest() : id);
    if (execution) return execution;
    throw new NotFoundException(`Tenant "${tenant}" has no execution "${id}".`);
  }

  /** The chunks are items of the import's map, so they are cancelled with it. */
  async cancel(tenant: string, id: string, reason?: string): Promise<Execution> {
    const execution = await this.get(tenant, id);
    const why = reason === undefined ? {} : { reason };
    await this.tenants.get(tenant).runner.cancel(execution.id, why);
    return this.get(tenant, execution.id);
  }

  /** Runs the tasks and the chunks again that did not complete. */
  async retry(tenant: string, id: string): Promise<Execution> {
    const execution = await this.get(tenant, id);
    await this.tenants.get(tenant).runner.retry(execution.id);
    return this.get(tenant, execution.id);
  }

  async lastReport(tenant: string): Promise<ImportReport> {
    const { dataSource } = this.tenants.get(tenant);
    const [report] = await dataSource
      .getRepository(ImportReport)
      .find({ order: { createdAt: 'DESC' }, take: 1 });
    if (report) return report;
    throw new NotFoundException(`Tenant "${tenant}" has no report yet.`);
  }
}
