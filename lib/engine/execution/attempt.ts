import type { TaskInput } from '../memory/execution-cache.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { HandlerOutcome } from './handler-outcome.js';

export interface AttemptListener {
  /** The attempt is settled by its timeout; its handler still runs. */
  timedOut(attempt: Attempt): void;
  /** What the attempt has come to, unless its timeout settled it. Once, and before {@link returned}. */
  concluded(attempt: Attempt, outcome: HandlerOutcome): void;
  /** The signal aborted, by a timeout or otherwise, while the handler runs. Once. */
  aborted(attempt: Attempt): void;
  /** The handler has returned, in time or at last. */
  returned(attempt: Attempt): void;
}

/** One run of a handler. Whichever comes first, its return or its timeout, decides what is recorded. */
export class Attempt {
  /** Those who wait for the slot to be free; few attempts have any. */
  private whenReleased: (() => void)[] | undefined;
  private isReleased = false;
  private settledBy: 'handler' | 'timeout' | undefined;
  private timer: Timer | undefined;

  constructor(
    readonly claim: TaskClaim,
    readonly input: TaskInput,
    private readonly listener: AttemptListener,
    private readonly freeSlot: () => void,
    private readonly clock: Clock,
  ) {}

  /** Called when the handler begins: what it waited for before, a connection for one, is not its doing. */
  begin(): void {
    const { claim } = this;
    claim.attempt = this;
    this.timer = this.clock.timer(() => {
      if (this.settle('timeout')) this.listener.timedOut(this);
    }, claim.task.timeoutMs);
  }

  /** The claim's signal aborted. */
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
    for (const callback of this.whenReleased ?? []) callback();
  }

  /** Calls back when the slot is free: the handler has returned, or was given up. */
  afterRelease(callback: () => void): void {
    if (this.isReleased) callback();
    else (this.whenReleased ??= []).push(callback);
  }

  /** True for the first caller. */
  settle(by: 'handler' | 'timeout'): boolean {
    if (this.settledBy !== undefined) return false;
    this.settledBy = by;
    this.claim.stage = 'settled';
    return true;
  }

  /** Tells what the attempt has come to; without effect if its timeout has settled it. */
  conclude(outcome: HandlerOutcome): void {
    if (this.timedOut) return;
    this.settle('handler');
    this.listener.concluded(this, outcome);
  }

  get timedOut(): boolean {
    return this.settledBy === 'timeout';
  }
}
