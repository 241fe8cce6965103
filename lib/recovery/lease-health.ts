/** How long other processes have to come back after the server lost all locks, in milliseconds. */
export const RECONNECT_GRACE_MS = 5_000;

/** What is known of the process behind a lease. */
export interface LeaseFacts {
  /** The server's life in which the process took its lock; null if it takes none. */
  readonly lockEpoch: string | null;
  readonly lockHeld: boolean;
  /** It has an idle connection to the server: its sockets are open. */
  readonly connected: boolean;
  /** The time of its lease is over, by the database's clock. */
  readonly over: boolean;
}

/** From where the lease is looked at. */
export interface Observer {
  /** The server's life in which this process is connected; null without a control connection. */
  readonly epoch: string | null;
  readonly epochAgeMs: number;
  /** Whether this process has been connected for long enough that others could have renewed theirs. */
  readonly mayJudgeLeases: boolean;
}

export type LeaseHealth = 'alive' | 'lockGone' | 'leaseOver' | 'unsure';

/**
 * Whether the process behind a lease is lost.
 *
 * A missing lock proves a death within one life of the server, unless the process has a connection open: then only its
 * control connection was cut. In another life of the server every process has lost its lock and is coming back, so it proves
 * something only after a grace. A lease that is over proves that the process hangs or is cut off, lock or no lock,
 * unless no process could have renewed one.
 */
export function assessLease(lease: LeaseFacts, from: Observer): LeaseHealth {
  if (!lease.lockHeld && !lease.connected && lease.lockEpoch !== null && from.epoch !== null) {
    const sameLife = lease.lockEpoch === from.epoch;
    if (sameLife || from.epochAgeMs >= RECONNECT_GRACE_MS) return 'lockGone';
  }
  if (lease.over && from.mayJudgeLeases) return 'leaseOver';
  return lease.lockHeld ? 'alive' : 'unsure';
}
