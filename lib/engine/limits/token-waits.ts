import type { Clock } from '../../runtime/clock.js';
import type { TokenRate } from '../../store/port/index.js';

/** A token is looked for this long after its time, in milliseconds: the database's clock decides when it is there. */
const LATE_MS = 1;
/** Pause beyond the time of the next token, in milliseconds, for one step behind; it doubles with each further step. */
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1_000;
/** Steps that a process falls behind when it got no token, and when it got few. It catches up one when it got most. */
const STEPS_OF_LOSS = 2;
const STEPS_OF_FEW = 1;
const MAX_STEPS = 8;
/**
 * How long a process relies on the time of the next token, in milliseconds. Another process may have set a faster rate since, and
 * may have said so while no task of the key was due.
 */
const RELIES_MS = 1_000;

/** What a process knows of the rate of a key. */
interface TokenWait {
  /** When this process looked for tokens that might be there. */
  readonly lookedAt: number;
  /** When this process learned of the next token. */
  readonly seenAt: number;
  /** When the next token comes at the earliest. Other processes may take it, and then it is later. */
  readonly nextAt: number;
  /** How far this process is behind the one that gets the tokens. 0: it is that one. */
  readonly behind: number;
}

/** A claim that the rate has stopped. */
export interface StoppedClaim {
  readonly claimed: number;
  /** When the next token comes, in milliseconds. */
  readonly tokenInMs: number;
  readonly rate: TokenRate;
}

/**
 * Says when a process looks for the next token of a key with a rate.
 *
 * Every process with tasks of the key would look at the time of the next token, one of them would get it, and the statements
 * of all others would be for nothing. So a process that got most of the tokens since its last look looks again when the next one
 * comes, and another one does so later, with a pause that doubles. After a few tokens one process takes nearly all of them. If it
 * dies, or has no room, the others get all that there are when they look, and catch up within two seconds; the burst bounds
 * what they find then.
 *
 * A process that got one token is not yet the one that gets the tokens: on a busy machine that one is often late, so others
 * find a token in many cases, and all of them would be back at the front.
 */
export class TokenWaits {
  private readonly waits = new Map<string, TokenWait>();

  constructor(private readonly clock: Pick<Clock, 'now' | 'random'>) {}

  /** Whether the key has no token yet, as this process has learned within the last second. */
  isEmpty(limitKey: string): boolean {
    const { nextAt = -Infinity, seenAt = 0 } = this.waits.get(limitKey) ?? {};
    const now = this.clock.now();
    return nextAt > now && now - seenAt < RELIES_MS;
  }

  /** Whether the rate stopped the latest claim of this process for the key. */
  isShort(limitKey: string): boolean {
    return this.waits.has(limitKey);
  }

  /**
   * Call after a claim that the rate has stopped.
   *
   * @returns the time until this process looks again, in milliseconds
   */
  stopped(limitKey: string, claim: StoppedClaim): number {
    const now = this.clock.now();
    const before = this.waits.get(limitKey);
    // A look before the time of the token, for another reason, lost it to no other process.
    if (before !== undefined && claim.claimed === 0 && now < before.nextAt) {
      const { lookedAt, behind } = before;
      return this.wait(limitKey, { lookedAt, seenAt: now, nextAt: now + claim.tokenInMs, behind });
    }
    const steps = stepsOf(claim, before === undefined ? 0 : now - before.lookedAt);
    const behind = Math.max(0, Math.min(MAX_STEPS, (before?.behind ?? 0) + steps));
    const nextAt = now + claim.tokenInMs;
    return this.wait(limitKey, { lookedAt: now, seenAt: now, nextAt, behind });
  }

  /** Call after a claim that the rate has not stopped. */
  forget(limitKey: string): void {
    this.waits.delete(limitKey);
  }

  private wait(limitKey: string, wait: TokenWait): number {
    this.waits.set(limitKey, wait);
    return wait.nextAt - this.clock.now() + LATE_MS + this.pauseOf(wait.behind);
  }

  private pauseOf(behind: number): number {
    if (behind === 0) return 0;
    const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (behind - 1));
    return longest * (1 + this.clock.random()) * 0.5;
  }
}

/** How much further a process falls behind by a claim, `sinceMs` milliseconds after the one before. */
function stepsOf({ claimed, rate: { everyMs, burst } }: StoppedClaim, sinceMs: number): number {
  if (claimed === 0) return STEPS_OF_LOSS;
  const came = Math.min(burst, sinceMs / everyMs);
  return claimed >= came / 2 ? -1 : STEPS_OF_FEW;
}
