import { Injectable, NotFoundException } from '@nestjs/common';
import {
  type Execution,
  type ExecutionFilter,
  type ExecutionHandle,
  InvalidTransitionError,
  type ExecutionPage,
  type StartOptions,
} from 'nestjs-cloacina';
import { ImportReport } from '../airports/import-report.entity.js';
import { type Tenant, Tenants } from '../tenants/tenants.js';
import { AirportImport, type ImportContext } from './airport-import.workflow.js';

const IMPORT = 'airport-import';

/** Starting and controlling imports, for the HTTP API and for the first import at boot. */
@Injectable()
export class ImportsService {
  constructor(private readonly tenants: Tenants) {}

  start(
    tenant: string,
    context: Pick<ImportContext, 'limit'>,
    options: StartOptions,
  ): Promise<ExecutionHandle> {
    return this.tenants.get(tenant).runner.start(AirportImport, context, options);
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

  /** The chunks of an import are executions of their own, so each of them is cancelled too. */
  async cancel(tenant: string, id: string, reason?: string): Promise<Execution> {
    const owner = this.tenants.get(tenant);
    const execution = await this.get(tenant, id);
    await owner.runner.cancel(execution.id, reason);
    for (const chunk of await chunksOf(owner, execution)) {
      if (chunk.completedAt === undefined) {
        await owner.runner.cancel(chunk.id, reason).catch(unlessItHasJustEnded);
      }
    }
    return this.get(tenant, execution.id);
  }

  /** Runs again the chunks that did not complete, and then the import's own tasks that did not. */
  async retry(tenant: string, id: string): Promise<Execution> {
    const owner = this.tenants.get(tenant);
    const execution = await this.get(tenant, id);
    for (const chunk of await chunksOf(owner, execution)) {
      if (chunk.status === 'Failed' || chunk.status === 'Cancelled') {
        await owner.runner.retry(chunk.id);
      }
    }
    await owner.runner.retry(execution.id);
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

async function chunksOf({ runner }: Tenant, { context }: Execution): Promise<Execution[]> {
  const { chunkIds = [] } = context as ImportContext;
  const found = await Promise.all(chunkIds.map((id) => runner.get(id)));
  return found.filter((chunk) => chunk !== null);
}

function unlessItHasJustEnded(error: unknown): void {
  if (!(error instanceof InvalidTransitionError)) throw error;
}
