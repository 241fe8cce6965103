import type { Clock } from './clock.js';

/** Maximum pause after the first failed attempt, in milliseconds. */
const FIRST_PAUSE_MS = 50;
/**
 * Maximum pause after any attempt, in milliseconds. A thousand processes then make about 1,300 attempts a second
 * together.
 */
const MAX_PAUSE_MS = 1_000;
const GROWTH = 1.025;

/**
 * The pause before the next attempt to reach an unavailable database, in milliseconds.
 *
 * The pause grows with the outage: it is at most 120 ms after two seconds, 400 ms after ten, and a second after half a
 * minute. So a process reconnects soon after the database is back; an attempt costs it about a millisecond. The pause
 * is a random value between half the maximum and the maximum, so that processes that lost the database together do not
 * reconnect in step.
 *
 * @param attempt - number of failed attempts in this outage, minus one
 */
export function reconnectDelayMs(attempt: number, clock: Pick<Clock, 'random'>): number {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * GROWTH ** attempt);
  return longest * (0.5 + clock.random() / 2);
}
