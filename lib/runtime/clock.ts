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
  sleep(ms: number): Promise<void>;
  /** Calls back once. Does not keep the process alive. */
  timer(callback: () => void, ms: number): Timer;
  /** Calls back when what is under way in this turn of the event loop is done. */
  immediate(callback: () => void): void;
  /** From 0 to 1, 1 excluded. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  timer: (callback, ms) => {
    const handle = setTimeout(callback, ms).unref();
    return { cancel: () => clearTimeout(handle) };
  },
  immediate: (callback) => void setImmediate(callback),
  random: () => Math.random(),
};
