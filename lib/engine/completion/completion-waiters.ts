import { retryOnConflict } from '../../runtime/retry-on-conflict.js';
import { CompletionLookups } from './completion-lookups.js';
import type { ExecutionStore } from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

/** How long a waiter relies on notifications before its next read, in milliseconds: after its first read, and later. */
const FIRST_LOOK_MS = 1_000;
const SLOW_POLL_MS = 5_000;

const ENDED = new Set(['Completed', 'Failed', 'Cancelled']);

/**
 * The callers that wait for executions to end. They are woken from memory if this process records the end, and by a
 * notification if another process does. A slow poll makes up for lost notifications.
 */
export class CompletionWaiters {
  private readonly waiting = new Map<string, Set<Waiter>>();
  private readonly looks: CompletionLookups;

  constructor(
    private readonly store: ExecutionStore & FailureClassifier,
    /** Whether this process holds claims in the execution. If so, it will learn of the end without reading. */
    private readonly isActive: (id: string) => boolean,
    private readonly clock: Clock,
  ) {
    this.looks = new CompletionLookups(store, (id) => this.statusOf(id), clock);
  }

  /** Number of executions that callers wait for. */
  get size(): number {
    return this.waiting.size;
  }

  isAwaited(id: string): boolean {
    return this.waiting.has(id);
  }

  /** Wakes the callers that wait for the execution, which is said to have ended. */
  ended(id: string): void {
    for (const waiter of this.waiting.get(id) ?? []) waiter.tell('ended');
  }

  /** Call when this process has no more claims in the execution: another process may end it. The waiters read again. */
  ownershipLost(id: string): void {
    for (const waiter of this.waiting.get(id) ?? []) waiter.tell('look');
  }

  /** Makes all waiters read again, because notifications may have been lost. */
  recheck(): void {
    for (const waiters of this.waiting.values()) {
      for (const waiter of waiters) waiter.tell('look');
    }
  }

  /** Resolves with true when the execution has ended, or false if it does not exist. Rejects when the signal aborts. */
  async wait(id: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const waiter = new Waiter(signal, this.clock);
    const waiters = this.waiting.get(id) ?? new Set();
    this.waiting.set(id, waiters.add(waiter));
    try {
      for (let pause = FIRST_LOOK_MS; ; pause = SLOW_POLL_MS) {
        if (!this.isActive(id)) {
          const status = await waiter.unlessAborted(this.looks.statusOf(id));
          if (status === undefined) return false;
          if (ENDED.has(status)) return true;
        }
        if ((await waiter.unlessAborted(waiter.nextSignal(pause))) === 'ended') return true;
      }
    } finally {
      waiter.close();
      waiters.delete(waiter);
      if (waiters.size === 0 && this.waiting.get(id) === waiters) this.waiting.delete(id);
    }
  }

  /** Returns `Running` after a failure that may pass, so that the waiter reads again later. */
  private statusOf(id: string): Promise<string | undefined> {
    return retryOnConflict(this.store, this.clock, () => this.store.await(id)).catch(
      (error: unknown) => {
        if (this.store.classifyFailure(error).retryable) return 'Running';
        throw error;
      },
    );
  }
}

/** `look`: read the execution's status again. */
type Signal = 'ended' | 'look';

/** One waiting caller. */
class Waiter {
  /** The signal that arrived while it was not listening. */
  private missed: Signal | undefined;
  private listener: ((signal: Signal) => void) | undefined;
  private readonly aborted: Promise<never>;
  private readonly onAbort: () => void;

  constructor(
    private readonly signal: AbortSignal,
    private readonly clock: Clock,
  ) {
    let abort: (reason: unknown) => void = () => undefined;
    this.aborted = new Promise((_, reject) => (abort = reject));
    this.aborted.catch(() => undefined);
    this.onAbort = () => abort(signal.reason);
    signal.addEventListener('abort', this.onAbort);
  }

  tell(signal: Signal): void {
    if (this.listener !== undefined) this.listener(signal);
    else if (this.missed !== 'ended') this.missed = signal;
  }

  /** Resolves with the next signal, or with `look` after `ms` milliseconds. */
  nextSignal(ms: number): Promise<Signal> {
    const { missed } = this;
    this.missed = undefined;
    if (missed !== undefined) return Promise.resolve(missed);
    return new Promise((resolve) => {
      const timer = this.clock.timer(() => this.listener?.('look'), ms);
      this.listener = (signal) => {
        timer.cancel();
        this.listener = undefined;
        resolve(signal);
      };
    });
  }

  unlessAborted<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.aborted]);
  }

  close(): void {
    this.signal.removeEventListener('abort', this.onAbort);
    this.listener?.('look');
  }
}
