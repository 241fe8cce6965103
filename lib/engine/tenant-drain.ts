import { ClaimLostError } from '../errors/index.js';
import type { ClaimTable } from './claims/claim-table.js';
import type { TenantQueue } from './slots/tenant-queue.js';
import type { TaskCompleter } from './execution/task-completer.js';
import type { Clock } from '../runtime/clock.js';

/** How long a stopping tenant waits until its outcomes are recorded, in milliseconds. */
const RECORDING_GRACE_MS = 5_000;
/** How long it waits for handlers to return after it has aborted their signals, in milliseconds. */
const ABORT_GRACE_MS = 1_000;

/** Interval of the checks whether everything is recorded, in milliseconds. */
const LOOK_AGAIN_MS = 5;

/** Interval of the checks whether the database is unavailable, in milliseconds. */
const AWAY_LOOK_MS = 20;

/** A part of the engine that may have statements under way. */
export interface BusyPart {
  /** Resolves when nothing is under way. The results may give new work to any part. */
  whenIdle(): Promise<void>;
}

export interface TenantDrainParts {
  readonly clock: Clock;
  readonly claims: ClaimTable;
  readonly queue: TenantQueue;
  readonly completer: TaskCompleter;
  /** The parts whose statements must have ended before the drain ends. */
  readonly recording: readonly BusyPart[];
  /** Whether the process has claims, or work under way that may make claims or has to be recorded. */
  readonly isBusy: () => boolean;
  /** Whether the database is available, as far as the process knows. */
  readonly isConnected: () => boolean;
}

/** Ends a tenant's work in this process. No task is lost and no attempt is charged. */
export class TenantDrain {
  /** When the timeout of the shutdown is over, by the clock's `now()`. */
  private endsAt = 0;

  constructor(private readonly parts: TenantDrainParts) {}

  /** Gives back unstarted claims. */
  giveBackWaiting(): void {
    const { claims, queue, completer } = this.parts;
    queue.removeQueued();
    for (const claim of claims.all()) {
      if (claim.stage === 'waiting') completer.giveBack(claim);
    }
  }

  /**
   * Waits for running handlers for up to `timeoutMs`. Then aborts their signals and gives their tasks back. Call when
   * the engine no longer claims.
   */
  async run(timeoutMs: number): Promise<void> {
    const { claims, queue, completer } = this.parts;
    this.endsAt = this.parts.clock.now() + timeoutMs;
    this.giveBackWaiting();
    await this.within(timeoutMs, queue.whenIdle());
    for (const claim of claims.all()) {
      if (claim.stage !== 'running') continue;
      completer.giveBack(claim);
      claim.lose(new ClaimLostError(claim.task.name, claim.executionId));
    }
    // Handlers that react to their signals return soon, and may still need the data source to clean up.
    await this.withinGrace(ABORT_GRACE_MS, queue.whenIdle());
    const over = new AbortController();
    await this.withinGrace(RECORDING_GRACE_MS, this.everythingRecorded(over.signal));
    over.abort();
  }

  /**
   * Waits for work that needs the database, for at most `ms` milliseconds. While the database is unavailable, it waits
   * no longer than the timeout of the shutdown: other processes recover the tasks that could not be recorded.
   */
  async withinGrace(ms: number, work: Promise<void>): Promise<void> {
    const over = new AbortController();
    const end = this.parts.clock.now() + ms;
    const watch = async (): Promise<void> => {
      while (!over.signal.aborted && this.parts.clock.now() < end) {
        if (!this.parts.isConnected() && this.parts.clock.now() >= this.endsAt) return;
        await this.parts.clock.sleep(AWAY_LOOK_MS);
      }
    };
    await Promise.race([work, watch()]);
    over.abort();
  }

  /** Resolves when no part has work. The parts give work to each other in any order, so it repeats the check. */
  private async everythingRecorded(over: AbortSignal): Promise<void> {
    const { clock, recording, isBusy } = this.parts;
    for (;;) {
      await Promise.all(recording.map((part) => part.whenIdle()));
      // Lets work begin that follows from the results.
      await new Promise<void>((resolve) => clock.immediate(resolve));
      if (over.aborted || !isBusy()) return;
      // Replies may have brought claims that were made before the drain.
      this.giveBackWaiting();
      await clock.sleep(LOOK_AGAIN_MS);
    }
  }

  /** Waits for the work, for at most `ms` milliseconds. */
  private async within(ms: number, work: Promise<void>): Promise<void> {
    const over = new AbortController();
    await Promise.race([work, this.parts.clock.sleep(ms, over.signal)]);
    over.abort();
  }
}
