import type { UnsettledEnd } from './children.js';
import type { HeldLease, LeaseRow } from './leases.js';
import type { AnnouncingSession } from './processes.js';
import type { TenantHandle } from './tenant-store.js';
import type { PauseSession } from './workflow-pauses.js';

/**
 * What becomes due in a tenant: a task that waits for its time, the timeout of an execution, a message that is stored but not
 * delivered, the deletion of an event, an execution that an event is to start, one that waits for its turn, or the firing of a
 * schedule.
 */
export type WakeUpKind =
  'task' | 'limited' | 'admission' | 'deadline' | 'message' | 'expiry' | 'eventStart' | 'schedule';

/** When an item of a kind becomes due: the first one, if nothing else is said. */
export interface DueTime {
  readonly kind: WakeUpKind;
  /**
   * Milliseconds from now. If it is due, this is 0 or less: minus the time for which it has been due. A due task may stay
   * unclaimed, for lack of a slot or a handler. So `dueTimes` has up to three entries of such a kind: the first item that is
   * due, the last one, and the first that is not yet due.
   */
  readonly inMs: number;
}

/** The findings of a sweep in one tenant. */
export interface TenantSweep {
  readonly leases: readonly LeaseRow[];
  /** Instances with claims but without a lease. */
  readonly unleased: readonly string[];
  readonly due: readonly DueTime[];
  /** Identifies the schema. If it changes, another schema has taken the name. */
  readonly schemaId: string | null;
  /**
   * Equal in two sweeps, also of different processes, if both found the same. Undefined if there is something to do: due
   * work, an expired lease, or claims without a lease.
   */
  readonly fingerprint: string | undefined;
}

/** The liveness locks that are held in a database. */
export interface LivingLocks {
  /** The locks of all logins, in the format of leases. */
  readonly sessions: ReadonlySet<string>;
  /** The locks that are held by sessions with this session's login. */
  readonly ofLogin: readonly string[];
  /** The database's time when the locks were read, in milliseconds since 1970. */
  readonly at: number;
}

export interface SweepResult {
  /** By index. Undefined if the schema is broken. */
  readonly tenants: (TenantSweep | undefined)[];
  /** Undefined if the locks were not read. */
  readonly living: LivingLocks | undefined;
}

/** This process's session with the database: its proof of life, and the statements for all its tenants. */
export interface ControlSession {
  /** Life of the server in which this session took its lock. Null without a lock. */
  readonly epoch: string | null;
  /** The lock, in the format of leases. */
  readonly lockSession: string | null;
  close(): Promise<void>;
}

/** Renews and deletes the leases of many tenants. */
export interface RenewingSession {
  /** By index: whether the lease still existed. Undefined if the schema is broken. */
  renew(leases: readonly HeldLease[], leaseDurationMs: number): Promise<(boolean | undefined)[]>;
  /** By index: whether the lease is deleted. False if the instance has claims. Undefined if the schema is broken. */
  release(leases: readonly HeldLease[]): Promise<(boolean | undefined)[]>;
}

/** Notifies other processes, and reads what is due. */
export interface WakeUpSession {
  notify(payloads: readonly string[]): Promise<void>;
  /** By index. Undefined if the schema is broken. */
  dueTimes(tenants: readonly TenantHandle[]): Promise<(readonly DueTime[] | undefined)[]>;
  /**
   * Reads the leases, due times and claims without a lease of many tenants.
   *
   * @param withLocks - whether to read the liveness locks too; a session without a lock does not read them
   */
  sweep(tenants: readonly TenantHandle[], withLocks?: boolean): Promise<SweepResult>;
}

/** Maximum number of unsettled ends that a look at many tenants reads of each. */
export const UNSETTLED_OF_ALL = 100;

/** Finds ends of executions that were left unsettled, in many tenants. */
export interface SettlingSession {
  /** By index: whether the tenant has executions with parents, or unsettled ends. Undefined if the schema is broken. */
  useChildren(tenants: readonly TenantHandle[]): Promise<(boolean | undefined)[]>;
  /** By index. Undefined if the schema is broken. At most {@link UNSETTLED_OF_ALL} ends for each tenant. */
  unsettled(tenants: readonly TenantHandle[]): Promise<(readonly UnsettledEnd[] | undefined)[]>;
}

/** Finds out which processes are alive. */
export interface RecoverySession extends Pick<WakeUpSession, 'sweep'> {
  readonly epoch: string | null;
  readonly lockSession: string | null;
  /**
   * Minimum age of the server's current life, in milliseconds. `earlier` is another process's epoch: after a promotion
   * only this session's own age is known.
   */
  lifeAgeMs(earlier: string | null): number;
  /** Time since this session was opened, in milliseconds. */
  readonly ageMs: number;
  /** Whether the session has failed since it was opened. Other processes may then have been unable to renew leases. */
  readonly interrupted: boolean;
  /** By index of the tenant. Undefined if the schema is broken. */
  leases(tenants: readonly TenantHandle[]): Promise<(LeaseRow[] | undefined)[]>;
  /** By index: whether the tenant has executions in which tasks may run. Undefined if the schema is broken. */
  underWay(tenants: readonly TenantHandle[]): Promise<(boolean | undefined)[]>;
  livingLocks(): Promise<LivingLocks>;
  /** Selects leases whose process may have an idle connection. */
  connected(leases: readonly LeaseRow[]): Promise<Set<LeaseRow>>;
  /** Terminates the connections of the lease's process. */
  terminate(lease: LeaseRow): Promise<void>;
}

/** Maximum number of due tasks that are counted in a tenant. */
export const MAX_BACKLOG = 10_000;

/** The due tasks of a tenant that wait to be claimed. */
export interface DueTasks {
  /** At most {@link MAX_BACKLOG}. */
  readonly due: number;
  /** Time since the oldest of them became due, in milliseconds; 0 without any. */
  readonly oldestMs: number;
}

/** Counts what waits to be claimed. */
export interface BacklogSession {
  /** By index. Undefined if the schema is broken. */
  backlog(tenants: readonly TenantHandle[]): Promise<(DueTasks | undefined)[]>;
}

/** The operations that the engine of a process needs from its session. */
export interface EngineSession
  extends
    BacklogSession,
    ControlSession,
    RenewingSession,
    WakeUpSession,
    SettlingSession,
    PauseSession,
    AnnouncingSession {}
