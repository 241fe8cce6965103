/** Node's timers hold no more: a longer delay would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * A timer for any duration, of months too. Returns what cancels it. It doesn't keep the process alive: after a shutdown
 * a handler that ignored it must not.
 */
export function startTimer(callback: () => void, ms: number): () => void {
  let handle: NodeJS.Timeout;
  const arm = (left: number): void => {
    handle = setTimeout(
      () => (left > MAX_DELAY_MS ? arm(left - MAX_DELAY_MS) : callback()),
      Math.min(left, MAX_DELAY_MS),
    );
    handle.unref();
  };
  arm(ms);
  return () => clearTimeout(handle);
}
