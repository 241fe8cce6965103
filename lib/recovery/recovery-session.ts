import type { LeaseRow, Survey, TenantTables } from '../store/store.js';

/** What recovery asks of a process's session with the database. */
export interface RecoverySession {
  readonly epoch: string | null;
  /** How long the server has been in this life at least, as seen from an earlier one, in milliseconds. */
  lifeAgeMs(earlier: string | null): number;
  readonly ageMs: number;
  /** It was opened by this process's boot and hasn't failed since. */
  readonly interrupted: boolean;
  /** By index of the tenant; undefined where the schema is broken. */
  leases(tenants: readonly TenantTables[]): Promise<(LeaseRow[] | undefined)[]>;
  /** The leases and what else there is to see to, and the locks. */
  survey(tenants: readonly TenantTables[]): Promise<Survey>;
  livingKeys(): Promise<Set<number>>;
  connectedProcesses(): Promise<Set<string>>;
  terminate(processId: string): Promise<void>;
}
