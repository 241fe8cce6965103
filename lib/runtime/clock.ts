import { setTimeout as delay } from 'node:timers/promises';

/** A timer that was set. */
export interface Timer {
  /** Stops the timer; its callback is no longer called. */
  cancel(): void;
}

/**
 * The library's source of time, timers and random numbers. All durations are in milliseconds. Tests replace it, so this
 * file alone may call Node's own functions for them.
 */
export interface Clock {
  /** A monotonic time. Its start is arbitrary: only differences have a meaning. */
  now(): number;
  /** Milliseconds since 1970. The system clock may jump, so due times are decided by the database's clock instead. */
  wallTime(): number;
  /** Resolves after `ms`, or when the signal aborts. Never rejects. Keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once, after a delay of any length. Does not keep the process alive. */
  timer(callback: () => void, ms: number): Timer;
  /** Calls back every `ms`. Does not keep the process alive. */
  interval(callback: () => void, ms: number): Timer;
  /** Calls back after this turn of the event loop, as `setImmediate` does. */
  immediate(callback: () => void): void;
  /** A random number from 0 up to, but excluding, 1. */
  random(): number;
}

/** Maximum delay of a timer of Node.js, in milliseconds. A longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A timer for any duration. Each attempt of a task sets one, so it avoids the cost of a closure. */
class SystemTimer implements Timer {
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
    const delayMs = Math.min(ms, MAX_DELAY_MS);
    return setTimeout(SystemTimer.due, delayMs, this, ms - delayMs).unref();
  }

  private static due(this: void, timer: SystemTimer, leftMs: number): void {
    if (leftMs > 0) timer.handle = timer.arm(leftMs);
    else timer.callback();
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
  timer: (callback, ms) => new SystemTimer(callback, ms),
  interval: (callback, ms) => {
    const handle = setInterval(callback, ms).unref();
    return { cancel: () => clearInterval(handle) };
  },
  immediate: (callback) => void setImmediate(callback),
  random: () => Math.random(),
};
