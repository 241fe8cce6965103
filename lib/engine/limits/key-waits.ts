import type { Clock } from '../../runtime/clock.js';
import type { ClaimedKey } from '../../store/port/index.js';
import { DelayedKeys } from './delayed-keys.js';
import { TokenWaits } from './token-waits.js';

/** Pause before a key is looked at again that another process had locked, in milliseconds; up to twice as long. */
const LOCKED_MS = 3;

/**
 * The keys for which nothing can be claimed now: those without a token, and those that another process had locked. A timer
 * looks at them again. See {@link TokenWaits} for the processes that wait for the same token.
 */
export class KeyWaits {
  private readonly delayed: DelayedKeys;
  private readonly tokens: TokenWaits;

  /** @param over - called with the keys whose time has come */
  constructor(
    private readonly clock: Clock,
    over: (keys: readonly string[]) => void,
  ) {
    this.delayed = new DelayedKeys(clock, over);
    this.tokens = new TokenWaits(clock);
  }

  /** Whether a timer looks at the key, and nothing can be claimed for it before, as far as this process knows. */
  hasNoToken(limitKey: string): boolean {
    return this.tokens.isEmpty(limitKey) && this.delayed.has(limitKey);
  }

  /** Whether tokens of the key are short, and a timer looks for the next one. */
  isShortOfTokens(limitKey: string): boolean {
    return this.tokens.isShort(limitKey) && this.delayed.has(limitKey);
  }

  /** Takes what a claim has found of a key. Returns whether there may be more to claim for it now. */
  claimed({ limitKey, fate, tokenInMs, rate, claimed }: ClaimedKey): boolean {
    if (fate === 'locked') {
      this.delayed.add(limitKey, LOCKED_MS * (1 + this.clock.random()));
      return false;
    }
    if (tokenInMs !== null && rate !== null) {
      this.delayed.add(limitKey, this.tokens.stopped(limitKey, { claimed, tokenInMs, rate }));
      return false;
    }
    this.tokens.forget(limitKey);
    return fate === 'more';
  }

  close(): void {
    this.delayed.close();
  }
}
