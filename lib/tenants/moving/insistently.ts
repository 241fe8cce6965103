import { setTimeout as delay } from 'node:timers/promises';

/** Pause between two attempts, in milliseconds. */
const PAUSE_MS = 250;

/** Runs `work` again while it fails, for some time: a server that restarts is back soon. Throws the last failure. */
export async function insistently<T>(forMs: number, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + forMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() >= end) throw error;
    }
    await delay(PAUSE_MS);
  }
}
