import { retryOnConflict } from '../../runtime/retry-on-conflict.js';
import { CompletionLookups } from './completion-lookups.js';
import { CompletionWait, type WaitSurroundings } from './completion-wait.js';
import type { ExecutionStore } from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** Interval at which the waits that are due read again, in milliseconds. */
const ROUND_MS = 1_000;

/**
 * The callers that wait for executions to end. They are woken from memory if this process records the end, and by a
 * notification if another process does. Regular reads make up for lost notifications.
 */
export class CompletionWaiters {
  private readonly waiting = new Map<string, Set<CompletionWait>>();
  private readonly surroundings: WaitSurroundings;
  private rounds: Timer | undefined;
  /** Set by {@link close}. */
  private closed: { readonly reason: unknown } | undefined;

  constructor(
    private readonly store: ExecutionStore & FailureClassifier,
    /** Whether this process holds claims in the execution. If so, it will learn of the end without reading. */
    isActive: (id: string) => boolean,
    private readonly clock: Clock,
  ) {
    const looks = new CompletionLookups(store, (id) => this.statusOf(id), clock);
    this.surroundings = { isActive, statusOf: (id) => looks.statusOf(id), now: () => clock.now() };
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
    for (const wait of this.waiting.get(id) ?? []) wait.tellEnded();
  }

  /** Call when this process has no more claims in the execution: another process may end it. The waiters read again. */
  ownershipLost(id: string): void {
    for (const wait of this.waiting.get(id) ?? []) wait.look();
  }

  /** Makes all waiters read again, because notifications may have been lost. */
  recheck(): void {
    for (const waits of this.waiting.values()) for (const wait of waits) wait.look();
  }

  /** Waits for an execution that exists. */
  wait(id: string): CompletionWait {
    const wait = this.add(id, true);
    wait.look();
    return wait;
  }

  /**
   * Waits for an execution that is about to be started: its end may be recorded before the reply to the start arrives.
   * Call `stored()` of the wait after the reply. Until then nothing is read: an execution that is not stored yet would
   * pass for one that does not exist.
   */
  expect(id: string): CompletionWait {
    return this.add(id, false);
  }

  /** Rejects all waits, later ones too. */
  close(reason: unknown): void {
    this.closed ??= { reason };
    for (const waits of this.waiting.values()) for (const wait of waits) wait.cancel(reason);
  }

  private add(id: string, isStored: boolean): CompletionWait {
    const wait = new CompletionWait(id, isStored, this.surroundings, this.forget);
    const waits = this.waiting.get(id) ?? new Set();
    this.waiting.set(id, waits.add(wait));
    if (this.closed !== undefined) wait.cancel(this.closed.reason);
    else this.rounds ??= this.clock.interval(() => this.lookAround(), ROUND_MS);
    return wait;
  }

  private readonly forget = (wait: CompletionWait): void => {
    const waits = this.waiting.get(wait.id);
    waits?.delete(wait);
    if (waits?.size === 0) this.waiting.delete(wait.id);
    if (this.waiting.size > 0) return;
    this.rounds?.cancel();
    this.rounds = undefined;
  };

  private lookAround(): void {
    const now = this.clock.now();
    for (const waits of this.waiting.values()) for (const wait of waits) wait.lookIfDue(now);
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
