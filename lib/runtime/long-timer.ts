/** Node's timers hold no more: a longer delay would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * A timer for any duration, of months too. It doesn't keep the process alive: after a shutdown a handler that ignored it
 * must not.
 */
export class LongTimer {
  private handle: NodeJS.Timeout;

  constructor(
    private readonly callback: () => void,
    ms: number,
  ) {
    this.handle = this.arm(ms);
  }

  cancel(): void {
    clearTimeout(this.handle);
  }

  private arm(ms: number): NodeJS.Timeout {
    const delay = Math.min(ms, MAX_DELAY_MS);
    return setTimeout(LongTimer.due, delay, this, ms - delay).unref();
  }

  private static due(this: void, timer: LongTimer, leftMs: number): void {
    if (leftMs > 0) timer.handle = timer.arm(leftMs);
    else timer.callback();
  }
}
