import type { TaskInput } from '../memory/execution-cache.js';
import type { AttemptSpan } from '../../events/telemetry.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { HandlerOutcome } from './handler-outcome.js';

export interface AttemptListener {
  /** The attempt timed out. Its handler still runs. */
  timedOut(attempt: Attempt): void;
  /** The attempt has an outcome. Called once, before {@link returned}; not called after a timeout. */
  concluded(attempt: Attempt, outcome: HandlerOutcome): void;
  /** The signal aborted while the handler runs. Called once. */
  aborted(attempt: Attempt): void;
  /** The handler has returned, before or after a timeout. */
  returned(attempt: Attempt): void;
}

/** Callbacks of {@link Attempt.afterRelease}. */
interface Waiting {
  readonly released: () => void;
  readonly kept: () => void;
}

/** One run of a handler. Its return or its timeout, whichever comes first, decides what is recorded. */
export class Attempt {
  /** Set if the attempt is traced or measured. */
  span: AttemptSpan | undefined;
  /** What waits for the slot; few attempts have any. */
  private waiting: Waiting[] | undefined;
  private isReleased = false;
  private isKept = false;
  private settledBy: 'handler' | 'timeout' | undefined;
  private timer: Timer | undefined;

  constructor(
    readonly claim: TaskClaim,
    readonly input: TaskInput,
    private readonly listener: AttemptListener,
    private readonly freeSlot: () => void,
    private readonly clock: Clock,
  ) {}

  /** Starts the timeout. Called when the handler begins, so an earlier wait, say for a connection, does not count. */
  begin(): void {
    const { claim } = this;
    claim.attempt = this;
    this.timer = this.clock.timer(() => {
      if (this.settle('timeout')) this.listener.timedOut(this);
    }, claim.task.timeoutMs);
  }

  /** Called when the claim's signal aborts. */
  aborted(): void {
    this.claim.attempt = undefined;
    this.listener.aborted(this);
  }

  /** Called when the handler has returned, or could not begin. */
  end(): void {
    this.timer?.cancel();
    this.claim.attempt = undefined;
    this.listener.returned(this);
    this.release();
  }

  /** Frees the slot, whether the handler has returned or not. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.freeSlot();
    for (const { released } of this.takeWaiting()) released();
  }

  /**
   * Calls `released` when the slot is free, because the handler has returned or was given up; `kept` instead if the handler still
   * has the slot a while after its signal was aborted, and may never return.
   */
  afterRelease(released: () => void, kept: () => void): void {
    if (this.isReleased) released();
    else if (this.isKept) kept();
    else (this.waiting ??= []).push({ released, kept });
  }

  /** Call when the handler has ignored its signal for a while. */
  keep(): void {
    this.isKept = true;
    for (const { kept } of this.takeWaiting()) kept();
  }

  private takeWaiting(): readonly Waiting[] {
    const { waiting = [] } = this;
    this.waiting = undefined;
    return waiting;
  }

  /** Marks the attempt as settled by its handler or its timeout. Returns true for the first caller only. */
  settle(by: 'handler' | 'timeout'): boolean {
    if (this.settledBy !== undefined) return false;
    this.settledBy = by;
    this.claim.stage = 'settled';
    return true;
  }

  /** Passes the outcome on. Has no effect after a timeout. */
  conclude(outcome: HandlerOutcome): void {
    if (this.timedOut) return;
    this.settle('handler');
    this.listener.concluded(this, outcome);
  }

  get timedOut(): boolean {
    return this.settledBy === 'timeout';
  }
}
