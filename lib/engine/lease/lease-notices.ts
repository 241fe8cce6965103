import type { Clock, Timer } from '../../runtime/clock.js';

/** How long processes watch each other after a notice, in milliseconds. */
export const WATCH_MS = 20_000;
/** Remaining time of the watch below which a process with leases repeats the notice, in milliseconds. */
const REPEAT_BELOW_MS = 10_000;
/** Interval at which a process with leases checks the remaining time, in milliseconds. */
const CHECK_INTERVAL_MS = 2_500;

export interface LeaseNoticesOptions {
  readonly clock: Clock;
  /** Whether this process may have a lease in one of its tenants. */
  readonly mayHoldLease: () => boolean;
  /** Whether this process has a lock. Without one, its leases alone show whether it lives. */
  readonly hasLock: () => boolean;
  /** Sends a notice to all processes on the database, this one included. */
  readonly notify: () => void;
  /** Called when the watch begins. */
  readonly onBegin: () => void;
}

/**
 * Decides when the processes on a database watch each other: while at least one of them has a lease, and for
 * `WATCH_MS` after that. So a database without leases costs nothing.
 *
 * A notice says that leases exist, without naming a process. Every listener hears it, also the sender. The first lease
 * of a quiet database carries the notice in its own transaction, so no lease is committed without one. While a process
 * has leases, it repeats the notice before the watch ends, unless another process has done so. So the number of
 * notices does not depend on the number of processes.
 *
 * States: off, on until a time.
 */
export class LeaseNotices {
  private until = -Infinity;
  private timer: Timer | undefined;

  constructor(private readonly options: LeaseNoticesOptions) {}

  /** Whether processes watch each other now. */
  get isOn(): boolean {
    return this.options.clock.now() < this.until;
  }

  /** Whether a lease that is written now has to carry a notice. */
  get isDue(): boolean {
    return this.options.hasLock() && this.remainingMs < REPEAT_BELOW_MS;
  }

  private get remainingMs(): number {
    return this.until - this.options.clock.now();
  }

  start(): void {
    this.timer?.cancel();
    this.timer = this.options.clock.interval(() => {
      if (this.options.mayHoldLease()) this.ask();
    }, CHECK_INTERVAL_MS);
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Sends a notice if none was heard lately. For leases, and for timers that only this process has. */
  ask(): void {
    if (this.isDue) this.options.notify();
  }

  /** Call when a notice was heard, and when one may have been missed. */
  heard(): void {
    const began = !this.isOn;
    this.until = this.options.clock.now() + WATCH_MS;
    if (began) this.options.onBegin();
  }
}
