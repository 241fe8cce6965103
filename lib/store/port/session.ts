import type { HeldLease, LeaseRow } from './leases.js';
import type { TenantHandle } from './tenant-store.js';

/** What wakes a tenant: a task that waits for its time, or the timeout of an execution. */
export type WakeUpKind = 'task' | 'deadline';

/** When the first of a kind becomes due. */
export interface DueTime {
  readonly kind: WakeUpKind;
  /**
   * In milliseconds from now; 0 or less: it is due. A task that is due was not claimed, perhaps for want of a slot or a
   * handler; then the first task that is not due yet is told too.
   */
  readonly inMs: number;
}

/** What a sweep found in one tenant. */
export interface TenantSweep {
  readonly leases: readonly LeaseRow[];
  /** Instances that hold claims and have no lease; null: tasks run without any owner. */
  readonly unleased: readonly (string | null)[];
  readonly due: readonly DueTime[];
  /** Another one than before: it is another schema, of the same name. */
  readonly schemaId: string | null;
}

export interface SweepResult {
  /** By index; undefined where the schema is broken. */
  readonly tenants: (TenantSweep | undefined)[];
  /** The locks that are held, as leases tell them; undefined without a control connection. */
  readonly living: Set<string> | undefined;
}

/** This process's session with the database: its proof of life, and what is asked for all its tenants at once. */
export interface ControlSession {
  /** The life of the server in which this session holds its lock; null when it holds none. */
  readonly epoch: string | null;
  /** That lock, as leases tell it. */
  readonly lockSession: string | null;
  close(): Promise<void>;
}

/** Renews and deletes the leases of many tenants. */
export interface RenewingSession {
  /** By index: whether the lease was still there; undefined where the schema is broken. */
  renew(leases: readonly HeldLease[], leaseDurationMs: number): Promise<(boolean | undefined)[]>;
  /** By index: whether it is gone; false where claims are held; undefined where the schema is broken. */
  release(leases: readonly HeldLease[]): Promise<(boolean | undefined)[]>;
}

/** Tells other processes, and finds out what is due. */
export interface WakeUpSession {
  notify(payloads: readonly string[]): Promise<void>;
  dueTimes(tenants: readonly TenantHandle[]): Promise<(readonly DueTime[] | undefined)[]>;
  /** The leases and what else there is to see to, and the locks. */
  sweep(tenants: readonly TenantHandle[]): Promise<SweepResult>;
}

/** Finds out which processes live. */
export interface RecoverySession extends Pick<WakeUpSession, 'sweep'> {
  readonly epoch: string | null;
  readonly lockSession: string | null;
  /** How long the server has been in this life at least, as seen from an earlier one, in milliseconds. */
  lifeAgeMs(earlier: string | null): number;
  readonly ageMs: number;
  /** It was opened by this process's boot and hasn't failed since. */
  readonly interrupted: boolean;
  /** By index of the tenant; undefined where the schema is broken. */
  leases(tenants: readonly TenantHandle[]): Promise<(LeaseRow[] | undefined)[]>;
  /** The locks of living processes, as leases tell them. */
  livingLocks(): Promise<Set<string>>;
  /** Those of the leases whose process may have an idle connection. */
  connected(leases: readonly LeaseRow[]): Promise<Set<LeaseRow>>;
  /** Ends what the process of the lease still does. */
  terminate(lease: LeaseRow): Promise<void>;
}

/** What the engine of a process asks of its session. */
export interface EngineSession extends ControlSession, RenewingSession, WakeUpSession {}
