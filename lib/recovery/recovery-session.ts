import type { LeaseRow, SweepResult, TenantTables } from '../store/port/tenant-store.js';

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
  sweep(tenants: readonly TenantTables[]): Promise<SweepResult>;
  /** This session's own lock, as leases tell it. */
  readonly lockSession: string | null;
  /** The locks of living processes, as leases tell them. */
  livingLocks(): Promise<Set<string>>;
  /** Those of the leases whose process may have an idle connection. */
  connected(leases: readonly LeaseRow[]): Promise<Set<LeaseRow>>;
  /** Ends what the process of the lease still does. */
  terminate(lease: LeaseRow): Promise<void>;
}
