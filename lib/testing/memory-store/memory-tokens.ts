import { FIRST_TOKEN } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Number of claims of one task after which the count begins anew. */
const COUNTS = 2 ** 20;
const RANDOM = 2 ** 32;

/**
 * The token of the next claim: the number of the claim, 32 random bits, and 0 for "not ended". Each way out of Running
 * adds 1 to it. A claim in a start has {@link FIRST_TOKEN}, which is one of these.
 */
export function nextToken(token: number, clock: Pick<Clock, 'random'>): number {
  const count = (Math.floor(token / FIRST_TOKEN) + 1) % COUNTS;
  return count * FIRST_TOKEN + 2 * Math.floor(clock.random() * RANDOM);
}
