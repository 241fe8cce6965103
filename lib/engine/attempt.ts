import type { TaskInput } from './execution-memory.js';
import { LongTimer } from './long-timer.js';
import type { HeldClaim } from './held-claim.js';

export interface AttemptListener {
  /** The attempt is settled by its timeout; its handler still runs. */
  timedOut(attempt: Attempt): void;
  /** The handler has returned, in time or at last. */
  returned(attempt: Attempt): void;
}

/** One run of a handler; whoever settles it first (its return, its timeout) decides what is recorded. */
export class Attempt {
  /** Resolves when the handler has returned. */
  returned: Promise<void> | undefined;
  private settledBy: 'handler' | 'timeout' | undefined;
  private timer: LongTimer | undefined;

  constructor(
    readonly claim: HeldClaim,
    readonly input: TaskInput,
    private readonly listener: AttemptListener,
  ) {}

  /** Called when the handler begins: what it waited for before, a connection for one, is not its doing. */
  begin(): void {
    this.timer = new LongTimer(() => {
      if (this.settle('timeout')) this.listener.timedOut(this);
    }, this.claim.task.timeoutMs);
  }

  /** Called when the handler has returned, or could not begin. */
  end(): void {
    this.timer?.cancel();
    this.listener.returned(this);
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
