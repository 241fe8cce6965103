import { systemClock, type Clock } from '../../runtime/clock.js';
import { SERVER_CLOCK, type SqlClock } from './statements/sql-clock.js';

/** The clocks of an application. */
export interface Clocks {
  /** For timers, waits and durations in the process. */
  readonly process: Clock;
  /** For the rounds of the sweep, which may be late. Default: `process`. */
  readonly upkeep?: Clock;
  /** For due times and leases in SQL. */
  readonly database: SqlClock;
}

export const SYSTEM_CLOCKS: Clocks = { process: systemClock, database: SERVER_CLOCK };
