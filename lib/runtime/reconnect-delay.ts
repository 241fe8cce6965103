import type { Clock } from './clock.js';

/** The longest pause before the database is tried for the second time, in milliseconds. */
const FIRST_PAUSE_MS = 50;
/** The longest pause of all, in milliseconds: a thousand processes then try about 1,300 times a second together. */
const MAX_PAUSE_MS = 1_000;
const GROWTH = 1.025;

/**
 * How long to wait before a database that is away is tried again, in milliseconds.
 *
 * The pause grows with the time that the database has been away: it is at most 120 ms after two seconds, 400 ms after
 * ten, and a second after half a minute. So a process is back soon after the database, and an attempt costs it about a
 * millisecond. Each pause is somewhere between half of that and all, so that processes that lost the database together
 * don't try it in step.
 *
 * @param attempt - attempts that have failed since the database was last there, without the first one
 */
export function reconnectDelayMs(attempt: number, clock: Pick<Clock, 'random'>): number {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * GROWTH ** attempt);
  return longest * (0.5 + clock.random() / 2);
}
