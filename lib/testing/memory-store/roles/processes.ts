import { MemoryRole } from './memory-role.js';
import { readProcesses } from '../memory-processes.js';
import type { ProcessStore, TenantProcesses } from '../../../store/port/index.js';

/** The processes that serve a tenant, in memory. */
export class MemoryProcessStore extends MemoryRole implements ProcessStore {
  read(workflow: string): Promise<TenantProcesses> {
    return this.run((tables) => readProcesses(tables, workflow));
  }
}
