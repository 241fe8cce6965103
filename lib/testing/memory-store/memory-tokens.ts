import { FIRST_TOKEN } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Number of claims of a task after which the count starts again. */
const COUNTS = 2 ** 20;
const RANDOM = 2 ** 32;

/**
 * The token of the next claim: the number of the claim, 32 random bits, and 0 for "not ended". Each way out of Running
 * adds 1. The token of a claim in a start, {@link FIRST_TOKEN}, has the same format.
 */
export function nextToken(token: number, clock: Pick<Clock, 'random'>): number {
  const count = (Math.floor(token / FIRST_TOKEN) + 1) % COUNTS;
  return count * FIRST_TOKEN + 2 * Math.floor(clock.random() * RANDOM);
}
