import { systemClock, type Clock } from '../../runtime/clock.js';
import { SERVER_CLOCK, type SqlClock } from './statements/sql-clock.js';

/** Where an application has its time from. */
export interface Clocks {
  /** The process's timers, waits and durations. */
  readonly process: Clock;
  /** What is due, and which leases are over. */
  readonly database: SqlClock;
}

export const SYSTEM_CLOCKS: Clocks = { process: systemClock, database: SERVER_CLOCK };
