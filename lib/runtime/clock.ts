import { setTimeout as delay } from 'node:timers/promises';

/** A timer that was set. */
export interface Timer {
  /** It will not go off any more. */
  cancel(): void;
}

/**
 * Time and chance, as the parts of the library get them, so that a test can put others in their place: the one file in
 * which Node's own may be called. All durations are in milliseconds.
 */
export interface Clock {
  /** Counts on, from a beginning that means nothing: only differences do. */
  now(): number;
  /** The time of day, since 1970. It may be set back; the database's clock decides what is due. */
  wallTime(): number;
  /** Ends early, without an error, when the signal aborts. Keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once, after months too. Does not keep the process alive. */
  timer(callback: () => void, ms: number): Timer;
  /** Calls back again and again. Does not keep the process alive. */
  interval(callback: () => void, ms: number): Timer;
  /** Calls back when what is under way in this turn of the event loop is done. */
  immediate(callback: () => void): void;
  /** From 0 to 1, 1 excluded. */
  random(): number;
}

/** Node's timers hold no more: a longer delay would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A timer for any duration. One for each attempt of a task, so it makes no closure. */
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
