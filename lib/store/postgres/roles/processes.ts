import { PostgresRole } from './postgres-role.js';
import { processesOf, readProcesses } from '../statements/processes.js';
import type { ProcessStore, TenantProcesses } from '../../port/index.js';

/** The processes that serve a tenant, on PostgreSQL. */
export class PostgresProcessStore extends PostgresRole implements ProcessStore {
  async read(workflow: string): Promise<TenantProcesses> {
    return processesOf(await this.db.cold.run(readProcesses, [workflow]));
  }
}
