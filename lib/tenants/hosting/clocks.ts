import { systemClock, type Clock } from '../../runtime/clock.js';

/** Where an application has its time from. */
export interface Clocks {
  /** The process's timers, waits and durations. */
  readonly process: Clock;
}

export const SYSTEM_CLOCKS: Clocks = { process: systemClock };
