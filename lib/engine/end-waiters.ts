import type { TenantStore } from '../store/store.js';

/** How long a waiter relies on memory before it asks the database, and then how often, in milliseconds. */
const FIRST_LOOK_MS = 1_000;
const SLOW_POLL_MS = 5_000;

const ENDED = new Set(['Completed', 'Failed', 'Cancelled']);

/**
 * Who waits for executions to end. Told from memory when this process records the end, by a notification when
 * another one does; behind both, a slow poll.
 */
export class EndWaiters {
  private readonly waiting = new Map<string, Set<() => void>>();

  constructor(
    private readonly store: TenantStore,
    /** Whether this process holds claims in the execution, so that it may well be the one who ends it. */
    private readonly isActive: (id: string) => boolean,
  ) {}

  ended(id: string): void {
    const waiters = this.waiting.get(id);
    if (waiters === undefined) return;
    this.waiting.delete(id);
    for (const resolve of waiters) resolve();
  }

  /** Resolves when the execution has ended. False: there is no such execution. Rejects when the signal aborts. */
  async wait(id: string, signal: AbortSignal): Promise<boolean> {
    const ended = this.next(id, signal);
    // The wait may go unused: the first look can find the end.
    ended.catch(() => undefined);
    if (!this.isActive(id)) {
      const status = await this.store.await(id);
      if (status === undefined) return false;
      if (ENDED.has(status)) return true;
    }
    for (let pause = FIRST_LOOK_MS; ; pause = SLOW_POLL_MS) {
      if (await isSettledWithin(ended, pause, signal)) return true;
      signal.throwIfAborted();
      if (this.isActive(id)) continue;
      const status = await this.store.await(id).catch(() => 'Running');
      if (status === undefined || ENDED.has(status)) return status !== undefined;
    }
  }

  private next(id: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiters = this.waiting.get(id) ?? new Set();
      this.waiting.set(id, waiters);
      const onEnd = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        waiters.delete(onEnd);
        if (waiters.size === 0 && this.waiting.get(id) === waiters) this.waiting.delete(id);
        reject(signal.reason as Error);
      };
      waiters.add(onEnd);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}

async function isSettledWithin(
  ended: Promise<void>,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const pause = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
  try {
    return await Promise.race([ended.then(() => true), pause]);
  } finally {
    clearTimeout(timer);
  }
}
