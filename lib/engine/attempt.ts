import type { TaskInput } from './execution-memory.js';
import { LongTimer } from './long-timer.js';
import type { HeldClaim } from './held-claim.js';

/** One run of a handler; whoever settles it first (its return, its timeout) decides what is recorded. */
export class Attempt {
  /** Resolves when the handler has returned. */
  returned: Promise<void> | undefined;
  private settledBy: 'handler' | 'timeout' | undefined;
  private timer: LongTimer | undefined;

  constructor(
    readonly claim: HeldClaim,
    readonly input: TaskInput,
    private readonly onTimeout: (attempt: Attempt) => void,
  ) {}

  /** Called when the handler begins: what it waited for before, a connection for one, is not its doing. */
  startTimer(): void {
    this.timer = new LongTimer(() => this.onTimeout(this), this.claim.task.timeoutMs);
  }

  stopTimer(): void {
    this.timer?.cancel();
  }

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
