import { retryOnConflict } from '../../runtime/retry-on-conflict.js';
import { CompletionLookups } from './completion-lookups.js';
import { CompletionWait, type WaitSurroundings } from './completion-wait.js';
import type { KnownEnd } from './known-end.js';
import type { StartFacts } from '../memory/execution-cache.js';
import type { ExecutionStore } from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** Interval at which the waits that are due read again, in milliseconds. */
const ROUND_MS = 1_000;

const NONE: readonly never[] = [];

/**
 * The callers that wait for executions to end. They are woken from memory if this process records the end, and by a
 * notification if another process does. Regular reads make up for lost notifications.
 */
export class CompletionWaiters {
  /** By execution. Most executions have one waiting caller, which then needs no set of its own. */
  private readonly waiting = new Map<string, CompletionWait | Set<CompletionWait>>();
  private readonly surroundings: WaitSurroundings;
  private rounds: Timer | undefined;
  /** Set by {@link close}. */
  private closed: { readonly reason: unknown } | undefined;

  constructor(
    private readonly store: ExecutionStore & FailureClassifier,
    /** Whether this process holds claims in the execution. If so, it will learn of the end without reading. */
    isActive: (id: string) => boolean,
    /** Whether notifications of other processes reach this process. */
    hearsEnds: () => boolean,
    private readonly clock: Clock,
  ) {
    const looks = new CompletionLookups(store, (id) => this.statusOf(id), clock);
    const statusOf = (id: string): Promise<string | undefined> => looks.statusOf(id);
    this.surroundings = { isActive, hearsEnds, statusOf, now: () => clock.now() };
  }

  /** Number of executions that callers wait for. */
  get size(): number {
    return this.waiting.size;
  }

  isAwaited(id: string): boolean {
    return this.waiting.has(id);
  }

  /** The start of the execution, if a caller of this process started it in order to wait for its end. */
  startOf(id: string): StartFacts | undefined {
    for (const { start } of this.waitsFor(id)) if (start !== undefined) return start;
    return undefined;
  }

  /**
   * Wakes the callers that wait for the execution, which is said to have ended.
   *
   * @param known - the ended execution, if memory has all of it; otherwise the callers read it
   */
  ended(id: string, known?: KnownEnd): void {
    for (const wait of this.waitsFor(id)) wait.tellEnded(known);
  }

  /** Call when this process has no more claims in the execution: another process may end it. The waiters read again. */
  ownershipLost(id: string): void {
    for (const wait of this.waitsFor(id)) wait.look();
  }

  /** Makes all waiters read again, because notifications may have been lost. */
  recheck(): void {
    for (const wait of this.all()) wait.look();
  }

  /** Waits for an execution that exists. */
  wait(id: string): CompletionWait {
    const wait = this.add(id, undefined);
    wait.look();
    return wait;
  }

  /**
   * Waits for an execution that is about to be started: its end may be recorded before the reply to the start arrives.
   * Call `stored()` of the wait after the reply. Until then nothing is read: an execution that is not stored yet would
   * pass for one that does not exist.
   */
  expect(id: string, start: StartFacts): CompletionWait {
    return this.add(id, start);
  }

  /** Rejects all waits, later ones too. */
  close(reason: unknown): void {
    this.closed ??= { reason };
    for (const wait of this.all()) wait.cancel(reason);
  }

  private add(id: string, start: StartFacts | undefined): CompletionWait {
    const wait = new CompletionWait(id, start, this.surroundings, this.forget);
    const others = this.waiting.get(id);
    if (others instanceof Set) others.add(wait);
    else this.waiting.set(id, others === undefined ? wait : new Set([others, wait]));
    if (this.closed !== undefined) wait.cancel(this.closed.reason);
    else this.rounds ??= this.clock.interval(() => this.lookAround(), ROUND_MS);
    return wait;
  }

  private readonly forget = (wait: CompletionWait): void => {
    const waits = this.waiting.get(wait.id);
    if (waits instanceof Set) waits.delete(wait);
    if (waits === wait || (waits instanceof Set && waits.size === 0)) this.waiting.delete(wait.id);
    if (this.waiting.size > 0) return;
    this.rounds?.cancel();
    this.rounds = undefined;
  };

  private waitsFor(id: string): Iterable<CompletionWait> {
    const waits = this.waiting.get(id) ?? NONE;
    return waits instanceof CompletionWait ? [waits] : waits;
  }

  private *all(): Iterable<CompletionWait> {
    for (const id of this.waiting.keys()) yield* this.waitsFor(id);
  }

  private lookAround(): void {
    const now = this.clock.now();
    for (const wait of this.all()) wait.lookIfDue(now);
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
