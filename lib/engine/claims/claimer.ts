import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { ClaimGate } from './claim-gate.js';
import type { EngineState } from '../engine-state.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import { reconnectDelayMs } from '../../runtime/reconnect-delay.js';
import type { ClaimStore, ClaimedTask, TaskKey } from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

/** Claims to one statement. */
const MAX_CLAIMS = 500;
/** Pause after a claiming statement failed, in milliseconds; doubled up to the maximum. */
const CLAIM_RETRY_MS = 250;
const MAX_CLAIM_RETRY_MS = 30_000;
/** As above, where what failed passes by itself, a lock for one. */
const MAX_PASSING_RETRY_MS = 1_000;
/** How long claims pass by locked executions after one waited for such a lock in vain, in milliseconds. */
const PAST_LOCKS_MS = 30_000;

export interface ClaimerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly state: Pick<EngineState, 'mayClaim'>;
  readonly store: ClaimStore & FailureClassifier;
  readonly catalog: DefinitionCatalog;
  readonly queue: TenantQueue;
  readonly gate: ClaimGate;
  /** Tasks that must not begin in this process now. */
  readonly except: () => readonly TaskKey[];
  readonly consequences: ClaimConsequences;
}

/** What follows from claims, for the tenant's engine. */
export interface ClaimConsequences {
  adopt(task: ClaimedTask): void;
  /** A claim may have been committed without this process knowing. */
  reconcile(): void;
  tryAgainIn(ms: number): void;
  /** Nothing was found: there may be tasks of definitions that this process doesn't know. */
  foundNothing(): void;
  /** There may be more than this process has room for. */
  leftReady(): void;
}

/** Claims tasks that lie ready in the database, one statement at a time, as long as there is room for them. */
export class Claimer {
  private readonly logger = new Logger('Cloacina');
  private claiming = false;
  private underWay = Promise.resolve();
  private again = false;
  private failures = 0;
  private pastLocksUntil = -Infinity;
  /** There was a reason to look while the engine might not claim. */
  private missed = false;

  constructor(private readonly parts: ClaimerParts) {
    parts.queue.open = false;
  }

  get isClaiming(): boolean {
    return this.claiming;
  }

  /** The engine's state may have changed: it may claim now, or may not. */
  stateChanged(): void {
    const { queue, state } = this.parts;
    queue.open = state.mayClaim;
    if (state.mayClaim && this.missed) this.claimAvailable();
  }

  /** Claims what is due. Calls while it is at it make it look once more. */
  claimAvailable(): void {
    const { queue, state } = this.parts;
    this.missed = !state.mayClaim;
    if (this.claiming) {
      this.again = true;
    } else if (this.missed || queue.capacity === 0) {
      queue.hasBacklog = true;
    } else {
      this.claiming = true;
      this.underWay = this.claimWhileThereIsRoom();
    }
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
        this.failures = 0;
        // What was passed by is looked for again.
        if (this.passesLocks) this.parts.consequences.tryAgainIn(MAX_PASSING_RETRY_MS);
      } catch (error) {
        this.failed(error);
        break;
      }
    } while (this.again);
    this.claiming = false;
  }

  /** One claiming statement; whether it may be worth another. */
  private async claimOnce(): Promise<boolean> {
    const { state, store, catalog, queue, gate, except, consequences } = this.parts;
    const { ids, unknownTasks } = catalog.claimable;
    if (!state.mayClaim || ids.length === 0 || queue.capacity <= 0) return false;
    // Unless work is known to wait, this may be a look for nothing: half of the capacity stays for new starts.
    const wanted = queue.hasBacklog ? MAX_CLAIMS : Math.ceil(queue.capacity / 2);
    return gate.withRoom(
      wanted,
      (lease, room) => {
        const choice = { except: except(), pastLocks: this.passesLocks };
        return store.claim(ids, unknownTasks, room, lease, choice);
      },
      (claimed, room) => {
        queue.hasBacklog = claimed.length === room;
        for (const task of claimed) consequences.adopt(task);
        if (claimed.length === 0) consequences.foundNothing();
        return claimed.length === room;
      },
    );
  }

  private get passesLocks(): boolean {
    return this.parts.clock.now() < this.pastLocksUntil;
  }

  private failed(error: unknown): void {
    const { tenant, store, queue, consequences } = this.parts;
    queue.hasBacklog = true;
    const { kind, retryable, isLockTimeout } = store.classifyFailure(error);
    const longest = !retryable ? MAX_CLAIM_RETRY_MS : MAX_PASSING_RETRY_MS;
    // A database that is away comes back by itself.
    const pause =
      kind === 'connection'
        ? reconnectDelayMs(this.failures, this.parts.clock)
        : Math.min(CLAIM_RETRY_MS * 2 ** this.failures, longest);
    this.failures++;
    if (isLockTimeout) this.pastLocksUntil = this.parts.clock.now() + PAST_LOCKS_MS;
    if (!retryable && this.failures === 1) {
      this.logger.error(
        `Tenant "${tenant}": its tasks can't be claimed: ${toStoredError(error).message}`,
      );
    }
    consequences.reconcile();
    consequences.tryAgainIn(pause);
  }
}
