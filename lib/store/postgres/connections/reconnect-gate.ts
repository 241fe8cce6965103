import type { Clock } from '../../../runtime/clock.js';

/** How long after a failed attempt to connect none is made, in milliseconds. */
const PAUSE_MS = 50;
/** How long others wait for an attempt, in milliseconds. One to a dead address hangs for longer, and the next may succeed. */
const SHARED_MS = 1_000;

/**
 * Lets one caller at a time try to reach a server that is away.
 *
 * Each caller has its own backoff. With a hundred busy tenants these were a thousand attempts a second to reach the lost
 * server, and the tenants of other servers were slower by half. So a caller shares the attempt that is under way. For a
 * moment after a failed attempt it gets that attempt's error at once.
 */
export class ReconnectGate {
  /** Of the latest attempt, if it failed. */
  private failure: { readonly error: unknown; readonly at: number } | undefined;
  private attempt: { readonly result: Promise<void>; readonly at: number } | undefined;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly isAway: (error: unknown) => boolean,
  ) {}

  /** Calls `open`, or rejects as the latest attempt did. */
  async connect<T>(open: () => Promise<T>): Promise<T> {
    if (this.failure === undefined) return await this.watch(open);
    const now = this.clock.now();
    if (this.attempt !== undefined && now - this.attempt.at < SHARED_MS) await this.attempt.result;
    else if (now - this.failure.at < PAUSE_MS) throw this.failure.error;
    else return await this.tryFirst(open);
    return await this.watch(open);
  }

  private async tryFirst<T>(open: () => Promise<T>): Promise<T> {
    const opened = this.watch(open);
    // Those who wait for it want to know only whether it succeeds.
    const attempt = { result: opened.then(() => undefined), at: this.clock.now() };
    attempt.result.catch(() => undefined);
    this.attempt = attempt;
    try {
      return await opened;
    } finally {
      if (this.attempt === attempt) this.attempt = undefined;
    }
  }

  private async watch<T>(open: () => Promise<T>): Promise<T> {
    try {
      const opened = await open();
      this.failure = undefined;
      return opened;
    } catch (error) {
      if (this.isAway(error)) this.failure = { error, at: this.clock.now() };
      throw error;
    }
  }
}
