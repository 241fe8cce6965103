import type { CloacinaTelemetry } from '../../events/telemetry.js';
import { ClaimFailures, MAX_PASSING_RETRY_MS } from './claim-failures.js';
import type { ClaimGate } from './claim-gate.js';
import type { EngineState } from '../engine-state.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { ClaimStore, ClaimedTask, TaskKey } from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

/** Maximum number of tasks claimed by one statement. */
const MAX_CLAIMS = 500;

export interface ClaimerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly state: Pick<EngineState, 'mayClaim'>;
  readonly store: ClaimStore & FailureClassifier;
  readonly catalog: DefinitionCatalog;
  readonly queue: TenantQueue;
  readonly gate: ClaimGate;
  readonly telemetry?: Pick<CloacinaTelemetry, 'batch' | 'isMeasuring'> | undefined;
  /** Tasks that must not be claimed by this process now. */
  readonly except: () => readonly TaskKey[];
  /** Whether it is the turn of tasks with a limit; see `BacklogTurns`. Default: never. */
  readonly isHeldBack?: () => boolean;
  readonly consequences: ClaimConsequences;
}

/** What the tenant's engine does after a claiming statement. */
export interface ClaimConsequences {
  adopt(task: ClaimedTask): void;
  /** Called after a failure: the statement may have committed claims that this process does not know. */
  reconcile(): void;
  tryAgainIn(ms: number): void;
  /** Called when a claim found nothing: there may be tasks of definitions that this process does not know. */
  foundNothing(): void;
  /** Called when there may be more ready tasks than this process has room for. */
  leftReady(): void;
  /** Called after the first of several failures. Other processes may be able to claim. */
  cannotClaim(): void;
}

/**
 * Claims Ready tasks from the database, one statement at a time, while there is room for them.
 *
 * While handlers are short, it waits until half of the prefetch is free, so a backlog is claimed in large batches. A
 * process at work therefore sends no statement for a wake-up: it notes that work waits, and claims when it needs some.
 *
 * States: idle, claiming. A call during a claim makes it look once more; a call while the engine may not claim is made
 * up for when it may. Work that is known to wait is noted until a claim has found less of it than it had room for: as the
 * queue's backlog, or as `missed` while the engine may not claim. Otherwise no process would claim it before a sweep.
 */
export class Claimer {
  private claiming = false;
  private underWay = Promise.resolve();
  private again = false;
  private readonly failures: ClaimFailures;
  /** Whether work may wait for which the engine was not allowed to claim. */
  private missed = false;

  constructor(private readonly parts: ClaimerParts) {
    parts.queue.open = false;
    this.failures = new ClaimFailures(parts, 'tasks');
  }

  get isClaiming(): boolean {
    return this.claiming;
  }

  /** Call when the engine's permission to claim may have changed. */
  stateChanged(): void {
    const { queue, state } = this.parts;
    // A closed queue knows of no backlog, but the work still waits.
    if (!state.mayClaim && queue.hasBacklog) this.missed = true;
    queue.open = state.mayClaim;
    if (state.mayClaim && this.missed) this.claimAvailable();
  }

  /** Claims the tasks that are due. A call during a claim makes it look once more. */
  claimAvailable(): void {
    const { queue, state } = this.parts;
    this.missed = !state.mayClaim;
    if (this.claiming) {
      this.again = true;
    } else if (this.missed || !this.hasRoom) {
      queue.hasBacklog = true;
    } else {
      this.claiming = true;
      this.underWay = this.claimWhileThereIsRoom();
    }
  }

  /**
   * Claims because another process has left work. Returns false if this process will not take any soon: it may not
   * claim, or its slots are taken by long handlers.
   *
   * @param isNamed - whether the work is known to be left for this process, so that the claim takes all the room
   */
  wake(isNamed: boolean): boolean {
    const { queue, state } = this.parts;
    const takesPart = state.mayClaim && !queue.isStuck;
    if (isNamed && takesPart) queue.hasBacklog = true;
    this.claimAvailable();
    return takesPart;
  }

  /** Resolves when no claiming statement is under way. */
  whenIdle(): Promise<void> {
    return this.underWay;
  }

  private async claimWhileThereIsRoom(): Promise<void> {
    do {
      this.again = false;
      try {
        let wasFull = false;
        while (await this.claimOnce()) wasFull = true;
        if (wasFull && this.parts.queue.hasBacklog) this.parts.consequences.leftReady();
        this.failures.succeeded();
        // Skipped executions may be unlocked by then.
        if (this.failures.passLocks) this.parts.consequences.tryAgainIn(MAX_PASSING_RETRY_MS);
      } catch (error) {
        this.failed(error);
        break;
      }
    } while (this.again);
    this.claiming = false;
  }

  private get hasRoom(): boolean {
    return this.parts.queue.wantsMore && this.parts.isHeldBack?.() !== true;
  }

  /** Sends one claiming statement. Returns whether another one may find more. */
  private async claimOnce(): Promise<boolean> {
    const { state, store, catalog, queue, gate, except, consequences } = this.parts;
    const { ids, unknownTasks } = catalog.claimable;
    if (ids.length === 0) return false;
    if (!state.mayClaim || !this.hasRoom) {
      // This may be the look for work that came during the statement before, whose reply has cleared the backlog.
      this.missed = !state.mayClaim;
      queue.hasBacklog = true;
      return false;
    }
    // If no work is known to wait, the claim may find nothing, so half of the capacity stays free for new starts.
    const wanted = queue.hasBacklog ? MAX_CLAIMS : Math.ceil(queue.capacity / 2);
    return gate.withRoom(
      wanted,
      (lease, room) => {
        const choice = {
          except: except(),
          pastLocks: this.failures.passLocks,
          timed: this.parts.telemetry?.isMeasuring === true,
        };
        return store.claim(ids, unknownTasks, room, lease, choice);
      },
      (claimed, room) => {
        queue.hasBacklog = claimed.length === room;
        for (const task of claimed) consequences.adopt(task);
        if (claimed.length === 0) consequences.foundNothing();
        else this.parts.telemetry?.batch('claim', this.parts.tenant, claimed.length);
        return claimed.length === room;
      },
      true,
    );
  }

  private failed(error: unknown): void {
    const { queue, consequences } = this.parts;
    queue.hasBacklog = true;
    const pauseMs = this.failures.failed(error);
    consequences.reconcile();
    consequences.tryAgainIn(pauseMs);
    if (this.failures.isFirst) consequences.cannotClaim();
  }
}
