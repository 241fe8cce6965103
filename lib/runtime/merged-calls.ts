import type { Clock, Timer } from './clock.js';

/** How often a reaction may take place. */
export interface ReactionLimit {
  /** Reactions that may follow each other at once. */
  readonly burst: number;
  /** After them, one in this time, in milliseconds. */
  readonly intervalMs: number;
}

/**
 * A reaction to something that may happen any number of times: one at a time, at most as often as the limit says, and
 * always once more after the last call. A call that finds one waiting costs a comparison and keeps nothing.
 */
export class MergedCalls {
  private credit: number;
  private countedAt: number;
  private timer: Timer | undefined;
  private isDue = false;
  private isRunning = false;
  private isClosed = false;

  constructor(
    private readonly react: () => unknown,
    private readonly limit: ReactionLimit,
    private readonly clock: Clock,
  ) {
    this.credit = limit.burst;
    this.countedAt = clock.now();
  }

  call(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.proceed();
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
  }

  private proceed(): void {
    if (!this.isDue || this.isRunning || this.isClosed || this.timer !== undefined) return;
    const waitMs = this.untilCredit();
    if (waitMs > 0) {
      this.timer = this.clock.timer(() => {
        this.timer = undefined;
        this.proceed();
      }, waitMs);
      return;
    }
    this.credit--;
    this.isDue = false;
    this.isRunning = true;
    void this.run();
  }

  private async run(): Promise<void> {
    try {
      await this.react();
    } catch {
      // Reactions report their failures themselves, or are made up for by a regular look.
    }
    this.isRunning = false;
    this.proceed();
  }

  private untilCredit(): number {
    const { burst, intervalMs } = this.limit;
    const now = this.clock.now();
    this.credit = Math.min(burst, this.credit + (now - this.countedAt) / intervalMs);
    this.countedAt = now;
    return Math.max(0, Math.ceil((1 - this.credit) * intervalMs));
  }
}
