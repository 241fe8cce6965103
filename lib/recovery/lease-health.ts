/** How long other processes have to reconnect after the server lost all locks, in milliseconds. */
export const RECONNECT_GRACE_MS = 5_000;

/** What the database shows about a lease and its process. */
export interface LeaseFacts {
  /** The life of the server in which the process took its lock; null for a process that takes no lock. */
  readonly lockEpoch: string | null;
  readonly lockHeld: boolean;
  /** Whether the process may have an idle connection to the server, which means that it lives. */
  readonly connected: boolean;
  /** Whether the lease has expired, by the database's clock. */
  readonly over: boolean;
}

/** The process that assesses the lease. */
export interface Observer {
  /** The life of the server in which this process is connected; null without a control connection. */
  readonly epoch: string | null;
  /** Minimum age of that life, in milliseconds. */
  readonly epochAgeMs: number;
  /** Whether this process has been connected long enough that a living process would have renewed its lease. */
  readonly mayJudgeLeases: boolean;
}

/** `lockGone` and `leaseOver`: the process is lost. `unsure`: its lock is missing, which does not prove a loss yet. */
export type LeaseHealth = 'alive' | 'lockGone' | 'leaseOver' | 'unsure';

/**
 * Decides whether the process behind a lease is lost.
 *
 * Within one life of the server, a missing lock proves that the process died. The exception is a process with an open
 * connection, which lost only its control connection. In the next life of the server every process has lost its lock
 * and reconnects, so a missing lock proves a death only after a grace period. An expired lease proves that the process
 * hangs or is cut off, whether or not it holds its lock, provided that processes were able to renew their leases.
 */
export function assessLease(lease: LeaseFacts, from: Observer): LeaseHealth {
  if (!lease.lockHeld && !lease.connected && lease.lockEpoch !== null && from.epoch !== null) {
    const sameLife = lease.lockEpoch === from.epoch;
    if (sameLife || from.epochAgeMs >= RECONNECT_GRACE_MS) return 'lockGone';
  }
  if (lease.over && from.mayJudgeLeases) return 'leaseOver';
  return lease.lockHeld ? 'alive' : 'unsure';
}
