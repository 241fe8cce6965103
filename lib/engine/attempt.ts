import type { TaskInput } from './execution-memory.js';
import type { HeldClaim } from './held-claim.js';

/** One run of a handler; whoever settles it first (its return, its timeout) decides what is recorded. */
export class Attempt {
  private settledBy: 'handler' | 'timeout' | undefined;

  constructor(
    readonly claim: HeldClaim,
    readonly input: TaskInput,
  ) {}

  /** True for the first caller. */
  settle(by: 'handler' | 'timeout'): boolean {
    if (this.settledBy !== undefined) return false;
    this.settledBy = by;
    this.claim.stage = 'settled';
    return true;
  }

  get timedOut(): boolean {
    return this.settledBy === 'timeout';
  }
}
