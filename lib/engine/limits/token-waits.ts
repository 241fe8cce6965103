import type { Clock } from '../../runtime/clock.js';

/** A token is looked for this long after its time, in milliseconds: the database's clock decides when it is there. */
const LATE_MS = 1;
/** Pause beyond the time of the next token, in milliseconds, for one step behind; it doubles with each further step. */
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1_000;
/** Steps that a process falls behind when it got no token. It catches up one with each look that got some. */
const STEPS_OF_LOSS = 2;
const MAX_STEPS = 8;

/** What a process knows of the rate of a key. */
interface TokenWait {
  /** When the next token comes at the earliest. Other processes may take it, and then it is later. */
  readonly nextAt: number;
  /** How far this process is behind the one that gets the tokens. 0: it is that one. */
  readonly behind: number;
}

/**
 * Says when a process looks for the next token of a key with a rate.
 *
 * Every process with tasks of the key would look at the time of the next token, one of them would get it, and the statements
 * of all others would be for nothing. So a process that got tokens looks again when the next one comes, and a process that
 * got none does so later, with a pause that doubles. After a few tokens one process takes nearly all of them. If it dies, or has
 * no room, the others get tokens whenever they look, and catch up within two seconds; the burst bounds what they find then.
 *
 * A look falls behind by more than a lucky one catches up: on a busy machine the first process is often late, so a process that
 * looks now and then finds a token in many cases, and all processes would be back at the front.
 */
export class TokenWaits {
  private readonly waits = new Map<string, TokenWait>();

  constructor(private readonly clock: Pick<Clock, 'now' | 'random'>) {}

  /** Whether the key has no token yet, as far as this process knows. Numbers that are set at run time may change that. */
  isEmpty(limitKey: string): boolean {
    return (this.waits.get(limitKey)?.nextAt ?? -Infinity) > this.clock.now();
  }

  /**
   * Call after a claim that the rate has stopped.
   *
   * @param tokenInMs - when the next token comes
   * @param claimed - number of tasks that this claim took
   * @returns the time until this process looks again, in milliseconds
   */
  stopped(limitKey: string, tokenInMs: number, claimed: number): number {
    const before = this.waits.get(limitKey)?.behind ?? 0;
    const behind =
      claimed > 0 ? Math.max(0, before - 1) : Math.min(MAX_STEPS, before + STEPS_OF_LOSS);
    this.waits.set(limitKey, { nextAt: this.clock.now() + tokenInMs, behind });
    return tokenInMs + LATE_MS + this.pauseOf(behind);
  }

  /** Call after a claim that the rate has not stopped. */
  forget(limitKey: string): void {
    this.waits.delete(limitKey);
  }

  private pauseOf(behind: number): number {
    if (behind === 0) return 0;
    const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (behind - 1));
    return longest * (1 + this.clock.random()) * 0.5;
  }
}
