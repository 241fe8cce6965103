import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type Tenant, Tenants } from '../tenants/tenants.js';
import type { ChunkContext } from './airport-chunk.workflow.js';

/** Logs one line for each chunk that ends in this process, for the customers that exist at boot. */
@Injectable()
export class ImportProgress implements OnModuleInit {
  private readonly logger = new Logger('Import');

  constructor(private readonly tenants: Tenants) {}

  onModuleInit(): void {
    for (const tenant of this.tenants.all) {
      tenant.runner.events$.subscribe(({ type, workflow, executionId }) => {
        if (type !== 'execution.ended' || workflow !== 'airport-chunk') return;
        this.logChunk(tenant, executionId).catch((error: unknown) => this.logger.error(error));
      });
    }
  }

  private async logChunk({ name, runner }: Tenant, id: string): Promise<void> {
    const execution = await runner.get(id);
    if (execution === null) return;
    const {
      chunk,
      chunks,
      loaded = 0,
      rejected = 0,
    } = execution.context as unknown as ChunkContext;
    const what =
      execution.status === 'Completed'
        ? `${loaded} loaded, ${rejected} rejected`
        : `${execution.status} ${execution.error?.message ?? ''}`;
    this.logger.log(`${name.padEnd(7)} chunk ${chunk} of ${chunks}: ${what}`);
  }
}
