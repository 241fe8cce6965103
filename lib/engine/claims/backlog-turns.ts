import type { TenantQueue } from '../slots/tenant-queue.js';

export interface BacklogTurnsParts {
  readonly queue: Pick<TenantQueue, 'hasBacklog' | 'hasLimitedBacklog'>;
  /** Claims tasks without a limit. */
  readonly claim: () => void;
  /** Claims tasks with a limit. Resolves when no such claim is under way. */
  readonly claimLimited: () => Promise<void>;
}

/**
 * Lets tasks with and without a limit take turns while both wait for room in this process. Otherwise those without a limit would get
 * all the room: their claim reserves it at once, while a claim of the others reads keys first.
 *
 * States: turn of both, or turn of the tasks with a limit. The latter lasts until their claim has reserved its room or has found
 * nothing, or until there is room again.
 */
export class BacklogTurns {
  private limitedIsNext = false;
  /** Identifies the turn of the tasks with a limit that is under way. */
  private limitedTurn: object | undefined;

  constructor(private readonly parts: BacklogTurnsParts) {}

  /** Whether claims of tasks without a limit have to wait. */
  get isOfLimited(): boolean {
    return this.limitedTurn !== undefined;
  }

  /** Call when there is room. */
  hasRoom(): void {
    const { queue, claim, claimLimited } = this.parts;
    const { hasBacklog, hasLimitedBacklog } = queue;
    this.limitedTurn = undefined;
    if (hasBacklog && hasLimitedBacklog && this.limitedIsNext) {
      this.limitedIsNext = false;
      void this.letLimitedClaim();
      return;
    }
    this.limitedIsNext = hasBacklog;
    if (hasBacklog) claim();
    if (hasLimitedBacklog) void claimLimited();
  }

  /** Call when a claim of tasks with a limit has reserved its room. The others get the rest. */
  limitedHasReserved(): void {
    if (this.limitedTurn === undefined) return;
    this.limitedTurn = undefined;
    if (this.parts.queue.hasBacklog) this.parts.claim();
  }

  private async letLimitedClaim(): Promise<void> {
    const turn = {};
    this.limitedTurn = turn;
    await this.parts.claimLimited();
    // It has found no keys.
    if (this.limitedTurn === turn) this.limitedHasReserved();
  }
}
