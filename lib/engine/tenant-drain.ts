import { ClaimLostError } from '../errors/index.js';
import type { ClaimTable } from './claims/claim-table.js';
import type { TenantQueue } from './slots/tenant-queue.js';
import type { TaskCompleter } from './execution/task-completer.js';
import type { Clock } from '../runtime/clock.js';

/** How long a stopping tenant waits for the database to take what it has to record, in milliseconds. */
const RECORDING_GRACE_MS = 5_000;
/** How long it waits for handlers to return whose signals it aborted, in milliseconds. */
const ABORT_GRACE_MS = 1_000;

/** How long it waits before it looks again whether all is recorded, in milliseconds. */
const LOOK_AGAIN_MS = 5;

/** How long it waits before it looks again whether the database is away, in milliseconds. */
const AWAY_LOOK_MS = 20;

/** Something that has statements under way. */
export interface BusyPart {
  /** Resolves when nothing is under way. What comes of it may give others work, and itself. */
  whenIdle(): Promise<void>;
}

export interface TenantDrainParts {
  readonly clock: Clock;
  readonly claims: ClaimTable;
  readonly queue: TenantQueue;
  readonly completer: TaskCompleter;
  /** What has to be recorded, and what reads for that. */
  readonly recording: readonly BusyPart[];
  /** Whether anything is under way that has claims, may bring some, or has to be recorded. */
  readonly isBusy: () => boolean;
  /** Whether the database is there, as far as the process knows. */
  readonly isConnected: () => boolean;
}

/** Ends a tenant's work in this process: nothing is lost and no attempt is charged. */
export class TenantDrain {
  /** When the time for the shutdown is over, by the clock's `now()`. */
  private endsAt = 0;

  constructor(private readonly parts: TenantDrainParts) {}

  /** What was claimed and has not begun goes back. */
  giveBackWaiting(): void {
    const { claims, queue, completer } = this.parts;
    queue.removeQueued();
    for (const claim of claims.all()) {
      if (claim.stage === 'waiting') completer.giveBack(claim);
    }
  }

  /** When nothing is claimed any more: waits for handlers up to `timeoutMs`, then aborts them and gives back. */
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
    // Those that heed their signal are through in a moment, and may still need the data source for that.
    await this.withinGrace(ABORT_GRACE_MS, queue.whenIdle());
    const over = new AbortController();
    await this.withinGrace(RECORDING_GRACE_MS, this.everythingRecorded(over.signal));
    over.abort();
  }

  /**
   * Waits for what the database has to take, at most `ms` milliseconds. While it is away, the time for the shutdown is the limit:
   * what could not be recorded by then is recovered by others.
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

  /** One part gives work to the next, in any order: so it is over when none of them has any. */
  private async everythingRecorded(over: AbortSignal): Promise<void> {
    const { clock, recording, isBusy } = this.parts;
    for (;;) {
      await Promise.all(recording.map((part) => part.whenIdle()));
      // What follows from it has begun by then.
      await new Promise<void>((resolve) => clock.immediate(resolve));
      if (over.aborted || !isBusy()) return;
      // Claims that were made before, and told of since.
      this.giveBackWaiting();
      await clock.sleep(LOOK_AGAIN_MS);
    }
  }

  /** Waits for the work, at most `ms` milliseconds. */
  private async within(ms: number, work: Promise<void>): Promise<void> {
    const over = new AbortController();
    await Promise.race([work, this.parts.clock.sleep(ms, over.signal)]);
    over.abort();
  }
}
