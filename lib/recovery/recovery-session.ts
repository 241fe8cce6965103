import type { LeaseRow, TenantTables } from '../store/store.js';

/** What recovery asks of a process's session with the database. */
export interface RecoverySession {
  readonly epoch: string | null;
  readonly epochAgeMs: number;
  readonly ageMs: number;
  leases(tenants: readonly TenantTables[]): Promise<LeaseRow[]>;
  livingKeys(): Promise<Set<number>>;
  connectedProcesses(): Promise<Set<string>>;
  terminate(processId: string): Promise<void>;
}
