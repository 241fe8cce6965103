import type { Clock, Timer } from './clock.js';

/** A rate limit for reactions. */
export interface ReactionLimit {
  /** Number of reactions that may follow each other without a pause. */
  readonly burst: number;
  /** Interval of the reactions after the burst, in milliseconds. */
  readonly intervalMs: number;
}

/**
 * Merges any number of calls into few reactions. Reactions run one at a time, within the rate limit, and one always
 * follows the last call. A call costs no more than a comparison when a reaction is due already.
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
      // A reaction reports its own failure, or the next regular round makes up for it.
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
